//! Add Device: one page for each kind of device, with what must be set at its end, ready to paste.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `reach` | names and ports as devices must write them |
//! | `snippets` | programs that send a first value |
//! | `token` | devices with a token and gauges: the forms, the token told once |
//! | `address` | devices that come by themselves: the steps, and letting one in beforehand |
//! | `tswarm` | nodes with a login |

pub(crate) mod address;
pub(in crate::web::page) mod reach;
pub(in crate::web::page) mod snippets;
pub(crate) mod token;
pub(crate) mod tswarm;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header;

use super::{Frame, Page, Place, render};
use crate::web::App;
use crate::web::auth::By;
use crate::web::error::WebError;

/// A kind of device that can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Gauge,
    Token,
    Cwm,
    Sca11h,
    Mcu,
    Tswarm,
}

impl Kind {
    const ALL: [Self; 6] = [Self::Gauge, Self::Token, Self::Cwm, Self::Sca11h, Self::Mcu, Self::Tswarm];

    const fn word(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Token => "token",
            Self::Cwm => "cwm",
            Self::Sca11h => "sca11h",
            Self::Mcu => "mcu",
            Self::Tswarm => "tswarm",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Gauge => "Analog gauge",
            Self::Token => "Device with a token",
            Self::Cwm => "ConnectWare Module",
            Self::Sca11h => "Bed sensor SCA11H",
            Self::Mcu => "Microcontroller",
            Self::Tswarm => "Tswarm node",
        }
    }

    /// Where there is little room.
    const fn brief(self) -> &'static str {
        match self {
            Self::Gauge => "Gauge",
            Self::Token => "Token",
            Self::Cwm => "ConnectWare",
            Self::Sca11h => "Bed sensor",
            Self::Mcu => "Microcontroller",
            Self::Tswarm => "Tswarm",
        }
    }

    const fn lead(self) -> &'static str {
        match self {
            Self::Gauge => {
                "A dial with a pointer, read by a camera or by hand. It uploads a value or an angle."
            }
            Self::Token => {
                "Anything that can send an HTTP request: a Raspberry Pi, an ESP32, a script. It uploads what it measures."
            }
            Self::Cwm => "A kitchen appliance with a CWM. It calls over HTTPS and takes commands.",
            Self::Sca11h => "Heart rate, respiration and presence from under the mattress, in cloud mode.",
            Self::Mcu => "A small board that keeps a WebSocket open and takes commands such as LED on.",
            Self::Tswarm => "An ESP8266 that wakes, uploads temperature and humidity, and sleeps.",
        }
    }

    /// Only for whoever sees the house: what calls by an address is the house's.
    const fn is_house(self) -> bool {
        match self {
            Self::Gauge | Self::Token => false,
            Self::Cwm | Self::Sca11h | Self::Mcu | Self::Tswarm => true,
        }
    }
}

/// The ways between the kinds, on each of their pages.
struct Ways {
    here: Option<Kind>,
    kinds: Vec<Kind>,
}

impl Ways {
    fn of(frame: &Frame, here: Option<Kind>) -> Self {
        let kinds = Kind::ALL.into_iter().filter(|kind| frame.house || !kind.is_house()).collect();
        Self { here, kinds }
    }
}

impl Ways {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn is_here(&self, kind: &Kind) -> bool {
        self.here == Some(*kind)
    }
}

#[derive(Template)]
#[template(path = "add/index.html")]
struct Index {
    frame: Frame,
    ways: Ways,
}

pub(crate) async fn show(State(app): State<App>, By(caller): By) -> Page {
    let frame = Frame::of(&app, &caller, Place::Add, "Add Device").await;
    render(&Index { ways: Ways::of(&frame, None), frame })
}

/// The root certificate of a server that is its own authority. It is no secret: whoever trusts the server needs it.
pub(crate) async fn root(State(app): State<App>) -> Page {
    let file = app.root_certificate.as_deref().ok_or(WebError::NotFound("root certificate"))?;
    let text = tokio::fs::read(file).await.map_err(|error| {
        tracing::warn!(file = %file.display(), %error, "the root certificate cannot be read");
        WebError::NotFound("root certificate")
    })?;
    let headers = [
        (header::CONTENT_TYPE, "application/x-pem-file"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"homeport-root.pem\""),
    ];
    let response: Response = (headers, text).into_response();
    Ok(response)
}
