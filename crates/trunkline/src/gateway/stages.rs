//! How a gateway stops: in stages, so that what was taken is answered, and what was answered is sent.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Gateway;
use crate::agents::Roster;
use crate::pipeline::SENDER_CONSUMER;

/// How often a stopping gateway looks whether everything is sent.
const SENT_CHECK: Duration = Duration::from_millis(20);
/// How long tasks that were told to end at once may take.
const HURRY: Duration = Duration::from_secs(1);

/// One token for each stage of stopping, and for the end of those that a later stage waits for.
#[derive(Clone, Default)]
pub(super) struct Stages {
    /// No more requests.
    pub(super) serving: CancellationToken,
    /// No more texts; lanes finish what they hold.
    pub(super) taking: CancellationToken,
    pub(super) taken: CancellationToken,
    /// The outbox is published.
    pub(super) relaying: CancellationToken,
    pub(super) relayed: CancellationToken,
    /// No more sends; those under way finish.
    pub(super) sending: CancellationToken,
    /// Sends that are not done come again after the next start.
    pub(super) hurried: CancellationToken,
}

impl Stages {
    /// Everything ends now.
    fn hurry(&self) {
        for stage in [&self.serving, &self.taking, &self.relaying, &self.sending, &self.hurried] {
            stage.cancel();
        }
    }
}

impl Gateway {
    /// Stops in stages: not ready and no more requests; lanes finish what they hold; the outbox is published; what was
    /// published is sent, unless the provider is out of reach; then the backend stops, bus and store are closed. All of
    /// it within the configured drain; what is not done by then is done after the next start.
    ///
    /// # Cancel safety
    /// Not cancel-safe, but harmless: what is not done is done after the next start.
    pub async fn stop(self) {
        self.readiness.stopping();
        if let Some((calls, voice)) = &self.voice {
            // While the provider's webhooks are still answered: calls need them to the end.
            calls.drain(self.drain).await;
            if let Err(error) = voice.stop().await {
                tracing::warn!(error.code = error.code().as_str(), %error, "calls did not stop cleanly");
            }
        }
        self.tasks.close();
        if tokio::time::timeout(self.drain, self.finish()).await.is_err() {
            tracing::warn!("not everything was finished in time; the rest is done after the next start");
        }
        self.stages.hurry();
        self.handlers.stop(HURRY).await;
        let _cut = tokio::time::timeout(HURRY, self.tasks.wait()).await.is_err();
        if let Some(backend) = &self.backend
            && let Err(error) = backend.stop().await
        {
            tracing::warn!(%error, "the backend did not stop cleanly");
        }
        self.bus.close().await;
        self.store.close().await;
        // Tools hold what the gateway works with, and are held by it.
        self.agents.replace(Roster::new());
    }

    async fn finish(&self) {
        let stages = &self.stages;
        stages.serving.cancel();
        stages.taking.cancel();
        stages.taken.cancelled().await;
        stages.relaying.cancel();
        stages.relayed.cancelled().await;
        while !self.missed.is_anyone_lost() && self.bus.backlog(SENDER_CONSUMER).await.is_ok_and(|waiting| waiting > 0)
        {
            tokio::time::sleep(SENT_CHECK).await;
        }
        stages.sending.cancel();
        self.tasks.wait().await;
    }
}

/// Runs `work` and cancels `ended` when it has ended, be it by a panic.
pub(super) async fn and_then(work: impl Future<Output = ()>, ended: CancellationToken) {
    let _ended = ended.drop_guard();
    work.await;
}
