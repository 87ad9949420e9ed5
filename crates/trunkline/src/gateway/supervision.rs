//! Tasks that have to go on until the gateway stops: one that ends before is told, and the gateway is not ready.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;

use crate::edge::Readiness;

/// Runs `work`. When it ends, or panics, while the gateway neither stops nor `stop` was asked for, nothing does its
/// part any more: readiness says so, so that whoever looks after the process starts it again.
pub(super) async fn supervised(
    name: &'static str,
    work: impl Future<Output = ()>,
    readiness: Readiness,
    stop: CancellationToken,
) {
    let ended = AssertUnwindSafe(work).catch_unwind().await;
    if readiness.is_stopping() || stop.is_cancelled() {
        if ended.is_err() {
            tracing::error!(task.name = name, "a part of the gateway panicked while it stopped");
        }
        return;
    }
    let how = if ended.is_err() { "panicked" } else { "ended by itself" };
    tracing::error!(task.name = name, how, "a part of the gateway is gone; start the gateway again");
    readiness.task_ended(name, how);
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn reasons(
        work: impl Future<Output = ()>,
        begin: impl FnOnce(&Readiness, &CancellationToken),
    ) -> Vec<String> {
        let (readiness, stop) = (Readiness::starting(), CancellationToken::new());
        readiness.pipeline_started();
        begin(&readiness, &stop);
        supervised("sender", work, readiness.clone(), stop).await;
        readiness.reasons()
    }

    #[tokio::test]
    async fn a_task_that_ends_too_early_is_missed() {
        let ended = reasons(async {}, |_, _| {}).await;
        assert_eq!(ended, ["sender: ended by itself; the gateway must be started again"]);
        let panicked = reasons(async { panic!("as the test wants it") }, |_, _| {}).await;
        assert_eq!(panicked, ["sender: panicked; the gateway must be started again"]);
    }

    #[tokio::test]
    async fn a_task_that_ends_with_the_gateway_is_not() {
        assert_eq!(reasons(async {}, |_, stop| stop.cancel()).await, [""; 0]);
        let stopping = reasons(async {}, |readiness, _| readiness.stopping()).await;
        assert_eq!(stopping, ["stopping: the gateway is stopping"]);
    }
}
