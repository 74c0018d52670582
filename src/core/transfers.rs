//! Files on their way to devices: asked for, looked at, withdrawn. What drives them is the device's family.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use bytes::Bytes;
use tokio::sync::{Mutex, MutexGuard, Notify};

use super::{Hub, HubError, Kept};
use crate::model::{
    Device, DeviceId, DeviceState, FamilyName, PARCEL_BYTES_MAX, Parcel, Timestamp, Transfer, TransferId,
    TransferState,
};

/// A file that a person wants sent to a device.
#[derive(Clone, Debug)]
pub struct Shipment {
    /// The device it is for.
    pub device: Device,
    /// The name it is published under.
    pub file: String,
    /// The name the equipment is to know it by.
    pub name: String,
    /// Length of a piece in bytes, as the family says.
    pub piece_bytes: u32,
    /// Who asks: `user:<name>`.
    pub by: String,
}

impl Kept for Transfer {
    const KIND: &'static str = "transfer";

    fn key(&self) -> String {
        self.id.as_str().to_owned()
    }

    fn device(&self) -> Option<DeviceId> {
        Some(self.device.id.clone())
    }
}

/// What transfers share within one server: who moves which one on, and that something is to be done.
pub(super) struct Porters {
    holds: [Mutex<()>; HOLDS],
    call: Notify,
}

impl Default for Porters {
    fn default() -> Self {
        Self { holds: std::array::from_fn(|_| Mutex::new(())), call: Notify::new() }
    }
}

impl Hub {
    /// Asks for a file to be sent. It waits for its turn.
    pub async fn ship(&self, shipment: Shipment) -> Result<Transfer, HubError> {
        let device = shipment.device;
        match device.state {
            DeviceState::Active | DeviceState::Held => {}
            DeviceState::Blocked => {
                let message =
                    format!("device {} is blocked: adopt it before you send it files", device.names.name);
                return Err(HubError::conflict("device", message));
            }
        }
        let parcel = self.parcel(&shipment.file, shipment.name).await?;
        let via = device.parent.as_ref().and_then(|id| self.device(id));
        let at = self.now();
        let transfer = Transfer {
            id: TransferId::random(),
            via: via.map_or_else(|| device.names.address.clone(), |via| via.names.address),
            device: device.names,
            parcel,
            piece_bytes: shipment.piece_bytes.max(1),
            state: TransferState::Queued,
            reason: "it was asked for".to_owned(),
            by: shipment.by,
            created: at,
            changed: at,
            taken: 0,
            restarts: 0,
            open: None,
            ask_at: None,
            asked: 0,
            listed: None,
            differs: false,
        };
        self.keep(&transfer).await?;
        self.0.porters.call.notify_one();
        Ok(transfer)
    }

    /// One transfer.
    pub async fn transfer(&self, id: &TransferId) -> Result<Option<Transfer>, HubError> {
        self.kept(id.as_str()).await
    }

    /// A page of transfers, those that moved last first: of one device or of all.
    pub async fn transfers(
        &self,
        of: Option<&DeviceId>,
        before: Option<(Timestamp, String)>,
        limit: u32,
    ) -> Result<Vec<(Timestamp, Transfer)>, HubError> {
        self.kept_all(of, before, limit).await
    }

    /// Withdraws a transfer. A piece that was not fetched yet is withdrawn with it.
    pub async fn abort_transfer(&self, id: &TransferId, by: &str) -> Result<Transfer, HubError> {
        let _hold = self.hold_transfer(id).await;
        let mut transfer = self.transfer(id).await?.ok_or(HubError::NotFound("transfer"))?;
        if transfer.is_over() {
            let message = format!("the transfer is over: it is {}", transfer.state.as_str());
            return Err(HubError::conflict("state", message));
        }
        let open = transfer.open.clone();
        transfer.abort(&format!("withdrawn by {by}"), self.now());
        self.keep(&transfer).await?;
        if let Some(errand) = open {
            // One that was fetched meanwhile, or never queued, cannot be withdrawn, and need not.
            match self.cancel(&errand.command, by).await {
                Ok(_) | Err(HubError::Conflict { .. } | HubError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        self.0.porters.call.notify_one();
        Ok(transfer)
    }

    /// The right to move a transfer on: whoever reads one to change it holds this from before the reading until
    /// after the keeping.
    pub async fn hold_transfer(&self, id: &TransferId) -> MutexGuard<'_, ()> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(id);
        let place = usize::try_from(hash % HOLDS as u64).unwrap_or_default();
        let [first, ..] = &self.0.porters.holds;
        self.0.porters.holds.get(place).unwrap_or(first).lock().await
    }

    /// Waits until a transfer is asked for or withdrawn. For one waiter.
    pub async fn transfers_called(&self) {
        self.0.porters.call.notified().await;
    }

    /// Every transfer of a family's devices that is not over, the one asked for first at the front. Of those that
    /// are over, more than are kept go.
    pub async fn open_transfers(&self, family: &FamilyName) -> Result<Vec<Transfer>, HubError> {
        let mut open = Vec::new();
        let mut over = 0;
        let mut before = None;
        loop {
            let page = self.transfers(None, before, PAGE).await?;
            let Some((at, last)) = page.last() else { break };
            before = Some((*at, last.key()));
            for (_, transfer) in page {
                if !transfer.is_over() {
                    open.push(transfer);
                } else if over < OVER_MAX {
                    over += 1;
                } else {
                    self.forget_kept::<Transfer>(&transfer.key()).await?;
                }
            }
        }
        open.retain(|transfer| transfer.device.family == *family);
        open.sort_by(|one, other| (one.created, &one.id).cmp(&(other.created, &other.id)));
        Ok(open)
    }

    /// A piece of a file that is being sent. The inner error is the reason why it cannot be sent any more.
    pub async fn read_parcel(
        &self,
        parcel: &Parcel,
        offset: u64,
        len: u32,
    ) -> Result<Result<Bytes, String>, HubError> {
        let gone = || format!("the file {} was replaced or withdrawn while it was being sent", parcel.file);
        let found = self.file(&parcel.file).await?;
        let Some(found) = found.filter(|found| found.sha256 == parcel.sha256) else { return Ok(Err(gone())) };
        match self.open_file(&found).await {
            Ok(content) => {
                Ok(Ok(content.read_at(offset, usize::try_from(len).unwrap_or(usize::MAX)).await?))
            }
            Err(HubError::NotFound(_)) => Ok(Err(gone())),
            Err(error) => Err(error),
        }
    }

    /// The published file as it is now.
    async fn parcel(&self, file: &str, name: String) -> Result<Parcel, HubError> {
        let found = self
            .file(file)
            .await?
            .ok_or_else(|| HubError::invalid("file", format!("no file {file} is published: add it first")))?;
        if found.size > PARCEL_BYTES_MAX {
            let message = format!("a file sent to a device has at most {PARCEL_BYTES_MAX} bytes");
            return Err(HubError::invalid("file", message));
        }
        Ok(Parcel {
            file: found.name.as_str().to_owned(),
            name,
            size: found.size,
            sha256: found.sha256,
            md5: found.md5,
            crc16: found.crc16,
        })
    }
}

/// Records read at a time when all are looked through.
const PAGE: u32 = 500;
/// So many transfers that are over are kept, the newest.
const OVER_MAX: u32 = 2000;
/// Transfers share these by their id's hash; two that meet wait for each other, which does no harm.
const HOLDS: usize = 32;
