//! `/Configuration`, and the webhooks of the account and of its service.

use axum::extract::State;

use super::call::{Call, Form};
use super::{Reply, ok, render};
use crate::server::App;
use crate::state::{ConfigurationFields, WebhookConfigFields};

pub(super) async fn fetch(State(app): State<App>, call: Call) -> Reply {
    let configuration = app.owner.call(|state| state.configuration.clone()).await?;
    Ok(ok(render::configuration(&app.account, &call.account_base(), &configuration)))
}

pub(super) async fn update(State(app): State<App>, call: Call, form: Form) -> Reply {
    let fields = ConfigurationFields {
        chat_service_sid: form.owned("DefaultChatServiceSid"),
        messaging_service_sid: form.owned("DefaultMessagingServiceSid"),
        inactive_timer: form.owned("DefaultInactiveTimer"),
        closed_timer: form.owned("DefaultClosedTimer"),
    };
    let configuration = app.owner.call(move |state| state.update_configuration(&fields)).await??;
    Ok(ok(render::configuration(&app.account, &call.account_base(), &configuration)))
}

pub(super) async fn webhooks(State(app): State<App>, call: Call) -> Reply {
    let configuration = app.owner.call(|state| state.configuration.clone()).await?;
    Ok(ok(render::account_webhooks(&app.account, &call.account_base(), &configuration.webhooks)))
}

pub(super) async fn configure_webhooks(State(app): State<App>, call: Call, form: Form) -> Reply {
    let fields = fields(&form);
    let configuration = app.owner.call(move |state| state.update_webhooks(&fields)).await??;
    Ok(ok(render::account_webhooks(&app.account, &call.account_base(), &configuration.webhooks)))
}

pub(super) async fn service_webhooks(State(app): State<App>, call: Call) -> Reply {
    let configuration = app.owner.call(|state| state.configuration.clone()).await?;
    Ok(ok(render::service_webhooks(&app.account, &call.base(), &configuration.service_webhooks)))
}

pub(super) async fn configure_service(State(app): State<App>, call: Call, form: Form) -> Reply {
    let fields = WebhookConfigFields { target: None, ..fields(&form) };
    let configuration = app.owner.call(move |state| state.update_service_webhooks(&fields)).await??;
    Ok(ok(render::service_webhooks(&app.account, &call.base(), &configuration.service_webhooks)))
}

fn fields(form: &Form) -> WebhookConfigFields {
    WebhookConfigFields {
        pre_webhook_url: form.owned("PreWebhookUrl"),
        post_webhook_url: form.owned("PostWebhookUrl"),
        method: form.owned("Method"),
        filters: form.all("Filters"),
        target: form.owned("Target"),
    }
}
