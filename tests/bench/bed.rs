//! A push of a bed sensor: five rows of one second each, in the layout of the original's messages, as a request.

use std::fmt::Write as _;

/// Makes pushes of one node; no two are alike.
pub(crate) struct Bed {
    node: usize,
    pushes: u32,
    /// Seconds since 1970 at which the node's counter of seconds was zero.
    since_s: i64,
}

impl Bed {
    /// The node with this number, which has just been switched on.
    pub(crate) fn new(number: usize) -> Self {
        Self { node: number, pushes: 0, since_s: jiff::Timestamp::now().as_second() }
    }

    /// The next push as a whole request. `close` asks for the connection's end.
    pub(crate) fn request(&mut self, close: bool) -> Vec<u8> {
        let body = self.body();
        let end = if close { "Connection: close\r\n" } else { "" };
        format!(
            "POST /data/push/ HTTP/1.1\r\nHost: bed.homeport.test\r\nContent-Type: text/xml\r\n\
             Content-Length: {}\r\n{end}\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    fn body(&mut self) -> String {
        let at = jiff::Timestamp::from_second(self.since_s).expect("a time");
        let mut text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<Data><Network id=\"1\"><Node id=\"{}\"><Sensor>\
             <Measurement time=\"{at}\">",
            self.node
        );
        for name in ["HR", "RR", "SV", "HRV", "SS", "status", "B2B", "B2B'", "B2B''"] {
            write!(text, "<Component id=\"{name}\"/>").expect("text can be added");
        }
        text.push_str("<Values count=\"5\">");
        for row in 0..ROWS {
            let n = self.pushes * ROWS + row;
            let (heart, breath, beat) = (55 + n % 20, 12 + n % 6, 800 + n % 300);
            write!(
                text,
                "{n},{heart},{breath},{},{},{},1,{beat},0,0\r\n",
                30 + n % 50,
                20 + n % 90,
                700 + n % 900
            )
            .expect("text can be added");
        }
        self.pushes += 1;
        text.push_str("</Values></Measurement></Sensor></Node></Network></Data>");
        text
    }
}

const ROWS: u32 = 5;
