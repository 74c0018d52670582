//! Scheduled commands as they are kept, and what became of them. Who carries them out is `family/schedules`.

use serde::{Deserialize, Serialize};

use super::{Hub, HubError, Kept};
use crate::model::{CommandId, DeviceId, Schedule, Timestamp};

impl Kept for Schedule {
    const KIND: &'static str = "schedule";

    fn key(&self) -> String {
        self.id.clone()
    }

    fn device(&self) -> Option<DeviceId> {
        Some(self.device.clone())
    }
}

/// How far a schedule has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Which schedule's.
    pub schedule: String,
    /// Its device; the progress goes with it.
    pub device: DeviceId,
    /// Up to here every due time was dealt with.
    pub until: Timestamp,
    /// What became of the last due time.
    pub last: Run,
    /// How many due times passed without a command.
    pub missed: u64,
}

/// What became of one due time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Run {
    /// When it was due.
    pub due: Timestamp,
    /// The command that was queued; `None` when none was.
    pub command: Option<CommandId>,
    /// Why none was, in a sentence.
    pub note: Option<String>,
}

impl Kept for Progress {
    const KIND: &'static str = "schedule_progress";

    fn key(&self) -> String {
        self.schedule.clone()
    }

    fn device(&self) -> Option<DeviceId> {
        Some(self.device.clone())
    }
}

impl Hub {
    /// Every schedule, or those of one device, the newest first.
    pub async fn schedules(&self, of: Option<&DeviceId>) -> Result<Vec<Schedule>, HubError> {
        let kept = self.kept_all::<Schedule>(of, None, SCHEDULES_MAX).await?;
        Ok(kept.into_iter().map(|(_, schedule)| schedule).collect())
    }

    /// Keeps a new schedule or a changed one; it is due for times from now on.
    ///
    /// # Errors
    /// `Invalid` when its times make no sense, `NotFound` without its device, `Conflict` when there are too many.
    pub async fn schedule(&self, mut schedule: Schedule) -> Result<Schedule, HubError> {
        schedule.when.check().map_err(|wrong| HubError::invalid(wrong.field, wrong.message))?;
        self.device(&schedule.device).ok_or(HubError::NotFound("device"))?;
        let known = self.schedules(None).await?;
        let most = usize::try_from(SCHEDULES_MAX).unwrap_or(usize::MAX);
        if known.len() >= most && !known.iter().any(|known| known.id == schedule.id) {
            return Err(HubError::conflict("", format!("there are {most} schedules already: remove one")));
        }
        schedule.changed = self.now();
        self.keep(&schedule).await?;
        Ok(schedule)
    }

    /// Removes a schedule. Commands it queued stay.
    pub async fn unschedule(&self, id: &str) -> Result<(), HubError> {
        self.kept::<Schedule>(id).await?.ok_or(HubError::NotFound("schedule"))?;
        self.forget_kept::<Schedule>(id).await?;
        self.forget_kept::<Progress>(id).await
    }
}

/// All are looked at every few seconds.
const SCHEDULES_MAX: u32 = 1000;
