//! Numbers without Conversations: keeps their messages coming here, where that is wanted.

use std::sync::Arc;
use std::time::Duration;

use trunkline_core::{Channel, ContactAddress};
use trunkline_twilio::rest::ChannelMessages;

use super::Twilio;
use crate::config::TwilioSettings;
use crate::connectors::{Connector, MessagingConnector, Public};
use crate::edge::from_messaging::MESSAGES_PATH;
use crate::media::MediaLinks;
use crate::pipeline::{CatchUp, Context};
use crate::telemetry::Observed;

/// How often it is looked where the numbers' messages go.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The connector of an account. `public_links` are there if the provider can reach us at
/// the public base.
pub(super) fn connector(
    settings: &TwilioSettings,
    messages: ChannelMessages,
    store: trunkline_store::Store,
    public_links: Option<MediaLinks>,
    observed: Arc<Observed>,
) -> Arc<dyn Connector> {
    let public = public_links.map(|links| Public { base: settings.edge.public_base.clone(), links });
    let numbers = settings.messaging.numbers.clone();
    let account = settings.account_sid.clone();
    Arc::new(MessagingConnector::new(messages, store, account, settings.people(), numbers, public).observed(observed))
}

/// Points the numbers here, and reads back what was missed, until it is dropped.
pub(super) fn keep(twilio: &Twilio, context: &Context) -> impl Future<Output = ()> + Send + use<> {
    let catch_up = CatchUp::new(context.clone(), Arc::clone(&twilio.messaging));
    let (messages, settings) = (twilio.messages.clone(), twilio.settings.clone());
    async move {
        tokio::join!(catch_up.run(tokio_util::sync::CancellationToken::new()), keep_pointed(&messages, &settings));
    }
}

async fn keep_pointed(messages: &ChannelMessages, settings: &TwilioSettings) {
    let url = format!("{}{MESSAGES_PATH}", settings.edge.public_base.trim_end_matches('/'));
    let numbers: Vec<_> = match settings.messaging.numbers.as_slice() {
        [] => settings.phone_number.iter().collect(),
        named => named.iter().filter(|own| is_number(own)).collect(),
    };
    loop {
        if settings.messaging.registers {
            for number in &numbers {
                match messages.point_number(number, &url).await {
                    Ok(Some(true)) => tracing::info!("the messages of a number were pointed here"),
                    Ok(Some(false)) => {}
                    Ok(None) => tracing::warn!("a number of TRUNKLINE_MESSAGING_NUMBERS is not the account's"),
                    Err(error) => {
                        tracing::warn!(error.code = error.code(), "a number's messages could not be pointed here yet");
                    }
                }
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// A sender on WhatsApp has no webhook that can be set here.
fn is_number(own: &str) -> bool {
    ContactAddress::parse(own).is_ok_and(|address| address.channel() == Channel::Sms)
}
