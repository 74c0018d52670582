//! A change that goes on although its asker may hang up.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

/// Runs a change within its asker's task; becomes a task of its own when the asker goes before the end. Nearly none
/// does, and a task for each message would cost more than the rest of the way.
pub struct Whole<T: Send + 'static> {
    /// `None` once it has ended.
    change: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    tasks: TaskTracker,
}

impl<T: Send + 'static> Whole<T> {
    pub(super) fn new(change: impl Future<Output = T> + Send + 'static, tasks: &TaskTracker) -> Self {
        Self { change: Some(Box::pin(change)), tasks: tasks.clone() }
    }
}

impl<T: Send + 'static> Future for Whole<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Some(change) = self.change.as_mut() else {
            return Poll::Pending; // asked again after its end, which nobody does
        };
        let outcome = ready!(change.as_mut().poll(cx));
        self.change = None;
        Poll::Ready(outcome)
    }
}

impl<T: Send + 'static> Drop for Whole<T> {
    fn drop(&mut self) {
        // Without a runtime there is nobody left to be told; what panicked does not go on.
        let Some(change) = self.change.take().filter(|_| !std::thread::panicking()) else { return };
        if let Ok(runtime) = Handle::try_current() {
            drop(self.tasks.spawn_on(async { drop(change.await) }, &runtime));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn a_change_ends_although_its_asker_goes() {
        let tasks = TaskTracker::new();
        let (go, gone) = oneshot::channel();
        let (done, was_done) = oneshot::channel();
        let mut whole = Whole::new(
            async move {
                gone.await.unwrap();
                done.send(()).unwrap();
            },
            &tasks,
        );
        let waker = std::task::Waker::noop();
        assert!(Pin::new(&mut whole).poll(&mut Context::from_waker(waker)).is_pending());
        drop(whole);
        go.send(()).unwrap();
        was_done.await.unwrap();
        tasks.close();
        tasks.wait().await;
    }

    #[tokio::test]
    async fn a_change_that_is_waited_for_needs_no_task() {
        let tasks = TaskTracker::new();
        assert_eq!(Whole::new(async { 7 }, &tasks).await, 7);
        assert_eq!(tasks.len(), 0);
    }
}
