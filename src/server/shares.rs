//! What each room gets of the settings.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::alert::{AlertSettings, MailSettings};
use crate::config::{self, Config, Limits, Registration, UnknownDevices};
use crate::core::{HubSettings, MailSecurity, RegistrationPolicy, RetentionSettings, UnknownPolicy};
use crate::net;
use crate::store::WriterSettings;

pub(super) fn hub(config: &Config) -> HubSettings {
    let (devices, accounts, limits) = (&config.devices, &config.accounts, &config.limits);
    let keep = &config.retention;
    HubSettings {
        unknown: match devices.unknown {
            UnknownDevices::Accept => UnknownPolicy::Accept,
            UnknownDevices::Hold => UnknownPolicy::Hold,
            UnknownDevices::Refuse => UnknownPolicy::Refuse,
        },
        online_within: Duration::from_secs(devices.online_within_s),
        lease_hold: Duration::from_secs(devices.lease_hold_s),
        attempts_max: devices.attempts_max,
        reply_window: Duration::from_secs(devices.reply_window_s),
        command_life: Duration::from_secs(devices.command_life_s),
        waiting_max: limits.device_commands_max_count,
        messages_per_minute: u32::try_from(limits.device_messages_max_per_minute.0)
            .ok()
            .and_then(NonZeroU32::new),
        registration: match accounts.registration {
            Registration::Closed => RegistrationPolicy::Closed,
            Registration::Invite => RegistrationPolicy::Invite,
            Registration::Open => RegistrationPolicy::Open,
        },
        access_ttl: Duration::from_secs(accounts.access_s.0),
        refresh_ttl: Duration::from_secs(accounts.refresh_s.0),
        session_ttl: Duration::from_secs(accounts.session_s.0),
        files_dir: config.files_dir.clone(),
        file_bytes_max: limits.file_bytes_max,
        retention: RetentionSettings {
            raw_days: keep.raw_days.days(),
            raw_bytes_max: keep.raw_bytes_max.0,
            telemetry_days: keep.telemetry_days.days(),
            telemetry_bytes_max: keep.telemetry_bytes_max.0,
            commands_days: keep.commands_days.days(),
            audit_days: keep.audit_days.days(),
            repeats_days: keep.repeats_days.days(),
        },
        login_per_minute: NonZeroU32::new(limits.logins_max_per_minute).unwrap_or(NonZeroU32::MIN),
        registrations_per_hour: NonZeroU32::new(limits.registrations_max_per_hour).unwrap_or(NonZeroU32::MIN),
        hash_parallel: limits.hashes_max_count,
        feed_backlog: limits.feed_max_count,
    }
}

pub(super) fn alert(config: &Config) -> AlertSettings {
    let (alerts, mail) = (&config.alerts, &config.mail);
    AlertSettings {
        send_time: Duration::from_millis(alerts.send_time_ms),
        retry_first: Duration::from_millis(alerts.retry_first_ms),
        retry_longest: Duration::from_secs(alerts.retry_longest_s),
        attempts_max: alerts.attempts_max,
        roots: alerts.roots.clone(),
        // The settings were checked.
        refuse: alerts.webhook_refuse.iter().filter_map(|network| network.clone().try_into().ok()).collect(),
        mail: (!mail.host.is_empty()).then(|| MailSettings {
            host: mail.host.clone(),
            port: u16::try_from(mail.port.0).ok().filter(|port| *port > 0),
            security: match mail.security {
                config::MailSecurity::None => MailSecurity::None,
                config::MailSecurity::Starttls => MailSecurity::Starttls,
                config::MailSecurity::Tls => MailSecurity::Tls,
            },
            username: mail.username.clone(),
            password: mail.password.reveal().to_owned().into(),
            from: mail.from.clone(),
            ca: None,
        }),
    }
}

pub(super) fn net(limits: &Limits) -> net::Limits {
    net::Limits {
        handshake_time_ms: limits.handshake_time_ms,
        header_time_ms: limits.header_time_ms,
        idle_time_s: limits.idle_time_s,
        body_time_ms: limits.body_time_ms,
        write_time_ms: limits.write_time_ms,
        drain_time_ms: limits.drain_time_ms,
        accept_pause_ms: limits.accept_pause_ms,
        body_max_bytes: limits.body_max_bytes,
        request_line_max_bytes: limits.request_line_max_bytes,
        header_max_bytes: limits.header_max_bytes,
        header_max_count: limits.header_max_count,
        connections_max_count: limits.connections_max_count,
        peer_connections_max_count: limits.peer_connections_max_count,
    }
}

pub(super) fn writer(limits: &Limits) -> WriterSettings {
    WriterSettings {
        queue_max: limits.writes_max_count,
        batch_max: limits.batch_max_count,
        batch_wait: Duration::from_millis(limits.batch_time_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_rooms() {
        let config = Config::default();
        assert_eq!(net(&config.limits), net::Limits::default());
        assert_eq!(format!("{:?}", hub(&config)), format!("{:?}", HubSettings::default()));
    }
}
