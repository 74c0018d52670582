//! The dictionaries of a folder beside those built in, and the handle everybody reads.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::{Chosen, Dictionary, Problem, parse, rank};
use crate::model::DeviceRef;

/// Every dictionary that could be read, and what is wrong with the others.
#[derive(Clone, Debug, Default)]
pub struct Dictionaries {
    /// The owner's by file name, then those built in.
    pub list: Vec<Arc<Dictionary>>,
    /// Files that could not be used. They keep no other from being used.
    pub problems: Vec<Problem>,
}

impl Dictionaries {
    /// Reads every `.toml` file of a folder, and the texts built in. A folder that is not there is an empty one.
    pub fn read(folder: Option<&Path>, built_in: &[impl AsRef<str>]) -> Self {
        let mut read = Self::default();
        match folder.map(files) {
            Some(Ok(files)) => {
                for file in files {
                    read.take(read_file(&file));
                }
            }
            Some(Err(error)) => read.problems.push(Problem {
                file: folder.map(Path::to_owned),
                line: None,
                message: format!("the folder of dictionaries cannot be listed: {error}"),
            }),
            None => {}
        }
        for text in built_in {
            read.take(parse(text.as_ref(), None));
        }
        read
    }

    /// The dictionaries for one device, with the profile that it has in its dialect: the closest first, the owner's before those built in.
    pub fn choose(&self, names: &DeviceRef, profile: Option<&str>) -> Chosen {
        let fits = |dictionary: &'_ Arc<Dictionary>| {
            Some((rank(dictionary, names, profile)?, Arc::clone(dictionary)))
        };
        let mut fitting: Vec<_> = self.list.iter().filter_map(fits).collect();
        // A stable sort: among equals the order of the list stays.
        fitting.sort_by_key(|(rank, dictionary)| (dictionary.file.is_none(), std::cmp::Reverse(*rank)));
        Chosen(fitting.into_iter().map(|(_, dictionary)| dictionary).collect())
    }

    fn take(&mut self, read: Result<Dictionary, Problem>) {
        match read {
            Ok(dictionary) => self.list.push(Arc::new(dictionary)),
            Err(problem) => self.problems.push(problem),
        }
    }
}

/// Where everybody reads the dictionaries; they can be exchanged while the server runs.
#[derive(Clone, Debug, Default)]
pub struct Shelf(Arc<ArcSwap<Dictionaries>>);

impl Shelf {
    /// A shelf with these.
    pub fn new(dictionaries: Dictionaries) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(dictionaries)))
    }

    /// What stands on it now.
    pub fn now(&self) -> Arc<Dictionaries> {
        self.0.load_full()
    }

    /// Puts others in their place.
    pub fn exchange(&self, dictionaries: Dictionaries) {
        self.0.store(Arc::new(dictionaries));
    }

    /// The dictionaries for one device, with the profile that it has in its dialect.
    pub fn choose(&self, names: &DeviceRef, profile: Option<&str>) -> Chosen {
        self.0.load().choose(names, profile)
    }
}

/// Reads one file.
///
/// # Errors
/// It cannot be read, is too big, or something in it is wrong.
pub fn read_file(file: &Path) -> Result<Dictionary, Problem> {
    let wrong = |message: String| Problem { file: Some(file.to_owned()), line: None, message };
    let size = fs::metadata(file).map_err(|error| wrong(error.to_string()))?.len();
    if size > FILE_BYTES_MAX {
        return Err(wrong(format!("it has {size} bytes, the most is {FILE_BYTES_MAX}")));
    }
    let text = fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    parse(&text, Some(file))
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && path.extension().is_some_and(|ending| ending == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The largest file that is read.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
