//! The store's tests: one list of cases, which every engine must pass, and what only one engine has.

mod backup;
pub(crate) mod cases;
mod fixtures;
#[cfg(feature = "postgres")]
mod on_postgres;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
mod sqlite;

use std::future::Future;
use std::pin::Pin;

use homeport::store::Store;

type Opening = Pin<Box<dyn Future<Output = Store> + Send>>;
type Winding = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A database of a test's own, which can be opened again after it was closed.
pub(crate) struct Base {
    open: Box<dyn Fn() -> Opening + Send + Sync>,
    wind: Box<dyn Fn(u16) -> Winding + Send + Sync>,
}

impl Base {
    /// `open` opens the same database each time; `wind` sets, from outside, the number of the newest command of
    /// every device, so that a test need not make 65,535 commands.
    pub(crate) fn new<O, W>(
        open: impl Fn() -> O + Send + Sync + 'static,
        wind: impl Fn(u16) -> W + Send + Sync + 'static,
    ) -> Self
    where
        O: Future<Output = Store> + Send + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        Self {
            open: Box::new(move || Box::pin(open())),
            wind: Box::new(move |number| Box::pin(wind(number))),
        }
    }

    /// Opens the database.
    pub(crate) async fn open(&self) -> Store {
        (self.open)().await
    }

    /// Sets the number of the newest command of every device.
    pub(crate) async fn wind(&self, number: u16) {
        (self.wind)(number).await;
    }
}

/// Every case as a test of its own. `$run` takes the case and gives it a fresh [`Base`].
macro_rules! battery {
    ($run:path) => {
        $crate::store::battery! { $run;
            devices: devices_are_made_changed_and_listed, an_address_belongs_to_one_device,
                forgetting_leaves_the_ledger;
            reports: a_report_is_kept_with_its_bytes, what_the_hmac_check_found_is_kept, the_same_message_is_kept_once,
                bad_messages_are_never_duplicates_unless_they_may_be, all_kinds_of_values_come_back,
                values_come_in_pages, many_values_of_one_sensor_come_in_one_message, numbers_come_in_buckets, sequence_has_no_gaps_under_many_writers,
                a_refused_write_rejects_no_neighbour, last_seen_never_goes_back;
            queue: a_command_is_fetched_taken_and_answered, first_in_first_out_one_on_its_way, the_higher_priority_goes_first,
                not_taken_comes_back_at_once_with_the_same_bytes, silence_brings_it_back_later_then_fails_it,
                commands_expire, illegal_changes_are_refused, held_devices_are_adopted_blocked_ones_refuse,
                replies_find_their_command, numbers_skip_open_commands, a_full_queue_takes_no_more,
                what_is_never_acknowledged_rests, what_goes_out_is_written_down, a_draft_that_cannot_be_encoded,
                a_panic_is_contained, restart_with_commands_in_every_state;
            people: users_are_unique_whatever_the_letter_case, sessions_open_and_end,
                a_session_is_renewed_by_its_newest_token_alone, a_user_has_so_many_sessions, tokens_are_kept_as_hashes,
                the_last_administrator_stays;
            audit_log: the_audit_log_is_added_to_and_listed, the_audit_log_goes_by_age;
            records: records_are_kept_replaced_and_removed, records_change_together_or_not_at_all, records_come_in_pages_newest_first,
                the_oldest_of_a_kind_go, one_of_many_is_the_first, records_go_with_their_device;
            prune: bytes_go_and_the_ledger_stays_whole, old_values_go_but_the_newest_of_each_sensor,
                a_piece_of_work_is_bounded, repeats_are_forgotten, commands_that_are_done_go, what_is_there_is_weighed,
                entries_are_found_by_time, the_store_can_be_tried;
            history: history_is_whole_however_it_lies;
            history: what_is_brought_over_is_of_its_own_time;
            ledger: a_sound_ledger_has_no_faults, a_closed_store_takes_nothing;
        }
    };
    ($run:path; $($file:ident: $($case:ident),+;)+) => {
        $($(
            #[test]
            fn $case() {
                $run(|base| Box::pin($crate::store::cases::$file::$case(base)));
            }
        )+)+
    };
}
pub(crate) use battery;
