//! The devices that take part in a demo: found by their addresses, let in, or made. The same ones each time, so a demo's history
//! goes on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::Shared;
use crate::core::HubError;
use crate::family::simulator::{Simulator, Way};
use crate::family::{Enrolment, Facts, Family};
use crate::http::ListenerKind;
use crate::model::{Device, DeviceId, DeviceState, FamilyName};
use crate::simulate::{Solo, Target, pinned};
use crate::web::DemoKind;

/// Everything that a demo needs to begin: its device, and those that must stay.
pub(super) async fn assemble(
    shared: &Shared,
    kind: DemoKind,
    by: &str,
) -> Result<(Solo, Vec<DeviceId>), HubError> {
    let target = target(shared)?;
    let family = family(shared, kind)?;
    let mut sim = family.demonstration().ok_or(HubError::NotFound("demo"))?;
    let mut needs = Vec::new();
    for (place, address) in sim.addresses().to_vec().iter().enumerate() {
        let name = names(kind).get(place).copied().unwrap_or("Demo");
        let device = if family.has_tokens() {
            with_token(shared, family.as_ref(), sim.as_mut(), address, (name, by)).await?
        } else {
            let known = shared.hub.device_by_address(&family.name(), address);
            match known {
                Some(device) => let_in(shared, device).await?,
                None => shared.hub.create(&family.name(), address, Some(name)).await?,
            }
        };
        needs.push(device.names.id);
    }
    Ok((Solo::new(sim, target, pinned(certificates(shared)?)), needs))
}

/// The device of a demo that people look at: the last of its addresses.
pub(super) fn looked_at(shared: &Shared, kind: DemoKind) -> Option<Device> {
    let family = family(shared, kind).ok()?;
    let sim = family.demonstration()?;
    shared.hub.device_by_address(&family.name(), sim.addresses().last()?)
}

/// The gauge: with a new token each time, since the one before is nobody's any more.
async fn with_token(
    shared: &Shared,
    family: &dyn Family,
    sim: &mut dyn Simulator,
    address: &str,
    (name, by): (&str, &str),
) -> Result<Device, HubError> {
    let known = shared.hub.device_by_address(&family.name(), address);
    let (device, token) = if let Some(device) = known {
        let device = let_in(shared, device).await?;
        let token = shared.hub.rotate_device_token(&device.names.id, Duration::ZERO, by).await?;
        (device, token)
    } else {
        // Somebody may have a device of this name.
        let name = if shared.hub.is_named(name) { address } else { name };
        let wanted = Enrolment {
            name: name.to_owned(),
            address: Some(address.to_owned()),
            owner: None,
            by: by.to_owned(),
            wishes: gauge(),
        };
        let made = family.enroll(&shared.hub, &wanted).ok_or(HubError::NotFound("demo"))?.await?;
        (made.device, made.token)
    };
    if let Way::Calls(caller) = sim.way() {
        caller.entrust(token.expose_secret());
    }
    Ok(device)
}

/// A held device is let in by whoever starts the demo; a blocked one stays out.
async fn let_in(shared: &Shared, device: Device) -> Result<Device, HubError> {
    match device.state {
        DeviceState::Active => Ok(device),
        DeviceState::Held => shared.hub.adopt(&device.names.id).await,
        DeviceState::Blocked => {
            let message =
                format!("the demo's device {} is blocked: adopt or forget it first", device.names.name);
            Err(HubError::Conflict { field: "", message })
        }
    }
}

/// The original's form as it comes (`accounts-dashboard.md §1`).
fn gauge() -> Facts {
    let config =
        json!({"minVal": 0, "maxVal": 100, "startAngle": -150, "maxRange": 300, "increaseClockwise": true});
    Facts::from_iter([("type".to_owned(), json!("gauge")), ("config".to_owned(), config)])
}

fn family(shared: &Shared, kind: DemoKind) -> Result<Arc<dyn Family>, HubError> {
    let name = FamilyName::new(match kind {
        DemoKind::Oven => "cwm",
        DemoKind::Sine => "token",
    });
    shared.families.iter().find(|family| family.name() == name).cloned().ok_or(HubError::NotFound("demo"))
}

/// What a demo's devices are called, in the order of their addresses.
const fn names(kind: DemoKind) -> &'static [&'static str] {
    match kind {
        DemoKind::Oven => &["Demo module", "Demo oven"],
        DemoKind::Sine => &["Demo gauge"],
    }
}

/// The https listener of this server, as it is reached from within.
fn target(shared: &Shared) -> Result<Target, HubError> {
    let addr = shared.listeners.addr(ListenerKind::Https).ok_or_else(|| {
        let message = "the demo's devices call the https listener, which is off or closed: open it first";
        HubError::Conflict { field: "", message: message.to_owned() }
    })?;
    let ip = match addr.ip() {
        IpAddr::V4(any) if any.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(any) if any.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        own => own,
    };
    let host = shared.hosts.first().map_or("localhost", String::as_str);
    let name = ServerName::try_from(host.to_owned()).unwrap_or(ServerName::IpAddress(ip.into()));
    Ok(Target {
        addr: SocketAddr::new(ip, addr.port()),
        name: Some(name),
        host: format!("{host}:{}", addr.port()),
    })
}

/// What this server shows, so that the demo's devices talk to it and to nobody else.
fn certificates(shared: &Shared) -> Result<Vec<CertificateDer<'static>>, HubError> {
    let read = |file: &std::path::PathBuf| {
        CertificateDer::from_pem_file(file).map_err(|error| {
            let message = format!("{} cannot be read: {error}", file.display());
            HubError::Conflict { field: "", message }
        })
    };
    shared.certificates.iter().map(read).collect()
}
