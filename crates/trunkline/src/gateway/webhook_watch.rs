//! Keeps the provider's webhooks coming here: whoever resets an emulator, clicks in Twilio's console or starts another
//! gateway on the same account sends them elsewhere, and nothing else would show it.

use std::sync::Arc;
use std::time::Duration;

use trunkline_twilio::{TwilioMessaging, WebhookRegistration};

use crate::edge::from_twilio::SOURCE;
use crate::pipeline::CatchUpTrigger;

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Looks again and again, until it is dropped.
pub(super) async fn keep_registered(backend: Arc<TwilioMessaging>, missed: CatchUpTrigger) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        look(&backend, &missed).await;
    }
}

async fn look(backend: &TwilioMessaging, missed: &CatchUpTrigger) {
    let found = match backend.register_webhook().await {
        Ok(WebhookRegistration::Made) => "no address",
        Ok(WebhookRegistration::Taken) => "another address",
        Ok(_) => return,
        // The health check tells it, and the next look is soon.
        Err(error) => {
            tracing::debug!(%error, "the provider was not asked where webhooks go");
            return;
        }
    };
    tracing::warn!(found, "webhooks did not come here any more; they were registered again");
    // What was written meanwhile went elsewhere.
    missed.request_of(SOURCE);
}

#[cfg(test)]
mod tests {
    use trunkline_core::messaging::{Config, ConversationalBackend as _};
    use trunkline_emulator::{AccountConfig, Emulator};
    use trunkline_twilio::rest::WebhookUpdate;

    use super::*;

    const OURS: &str = "http://127.0.0.1:9/webhooks/twilio";

    #[tokio::test]
    async fn webhooks_that_went_elsewhere_come_back() {
        let emulator = Emulator::builder()
            .listen(([127, 0, 0, 1], 0).into())
            .account(AccountConfig::default())
            .start()
            .await
            .unwrap();
        let account = emulator.account();
        let config = Config::builder()
            .provider("twilio")
            .setting("account_sid", account.account_sid.to_string())
            .secret("auth_token", account.auth_token.as_str())
            .setting("base_url", emulator.url())
            .setting("webhook_url", OURS);
        let backend = TwilioMessaging::new(config.build().unwrap()).unwrap();
        assert!(backend.register_webhook().await.is_err(), "it does not run yet");
        backend.start().await.unwrap();
        assert_eq!(backend.register_webhook().await.unwrap(), WebhookRegistration::Kept);

        let elsewhere = WebhookUpdate {
            post_webhook_url: Some("http://127.0.0.1:9/elsewhere".to_owned()),
            ..WebhookUpdate::default()
        };
        backend.rest().update_webhooks(&elsewhere).await.unwrap();
        look(&backend, &CatchUpTrigger::default()).await;
        let present = backend.rest().fetch_webhooks().await.unwrap();
        assert_eq!(present.post_webhook_url.as_deref(), Some(OURS));

        backend.rest().update_webhooks(&elsewhere).await.unwrap();
        assert_eq!(backend.register_webhook().await.unwrap(), WebhookRegistration::Taken);
        emulator.shutdown().await;
    }
}
