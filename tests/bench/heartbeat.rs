//! A real heartbeat: eight values of an appliance behind a module, 400 bytes with its checksum, as a request.

use std::fmt::Write as _;

use crc::{CRC_16_IBM_3740, Crc};

/// Makes heartbeats of one appliance behind one module; no two are alike.
pub(crate) struct Heart {
    source: String,
    beats: u32,
}

impl Heart {
    /// The appliance with this number, behind the module with this number.
    pub(crate) fn new(number: usize) -> Self {
        let source = format!("[\"0363{number:012x}\",\"0002{number:012x}\"]");
        Self { source, beats: 0 }
    }

    /// The next heartbeat as a whole request. `close` asks for the connection's end.
    pub(crate) fn request(&mut self, close: bool) -> Vec<u8> {
        let okm = self.okm();
        let end = if close { "Connection: close\r\n" } else { "" };
        let mut request = String::with_capacity(1200);
        request.push_str("POST /push?req=");
        for byte in format!("{{\"okm\":{okm},\"ts\":\"2024-03-01T12:00:00\"}}").bytes() {
            if byte.is_ascii_alphanumeric() || b"-_.~:,".contains(&byte) {
                request.push(char::from(byte));
            } else {
                write!(request, "%{byte:02X}").expect("text can be added");
            }
        }
        let tail = format!(" HTTP/1.1\r\nHost: push.homeport.test\r\nContent-Length: 0\r\n{end}\r\n");
        request.push_str(&tail);
        request.into_bytes()
    }

    fn okm(&mut self) -> String {
        self.beats += 1;
        let n = self.beats;
        let at = jiff::Timestamp::now();
        let head =
            format!("{{\"_src\":{},\"_cmd\":\"wr\",\"_id\":{},\"_ts\":\"{at:.6}\",", self.source, n % 65_536);
        let payload = format!(
            "\"_pld\":{{\"_hbt\":{{\"cook_chamber_temperature\":{},\"set_temperature\":1550,\"steam_generator_pressure\":{}.5,\
             \"door\":{},\"program_name\":\"Hearty Vegetable\",\"remaining_seconds\":{},\"burner_on\":{},\
             \"lifetime_cycles\":{}}}}}}}",
            900 + n % 700,
            n % 40,
            n % 2,
            3600 - n % 3600,
            n.is_multiple_of(3),
            100_000 + n,
        );
        let text = format!("{head}\"_crc\":\"0000\",{payload}");
        let sum = CRC.checksum(text.as_bytes());
        format!("{head}\"_crc\":\"{sum:04X}\",{payload}")
    }
}

const CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_IBM_3740);
