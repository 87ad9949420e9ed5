//! `/Configuration`, and the webhooks of the account and of its service.

use axum::extract::State;

use super::call::{Call, Form};
use super::{Reply, ok, render};
use crate::error::ApiError;
use crate::server::App;
use crate::state::{ConfigurationFields, WebhookConfigFields};

pub(super) async fn fetch(State(app): State<App>, call: Call) -> Reply {
    let (configuration, service) =
        app.owner.call(|state| (state.configuration.clone(), state.default_service())).await?;
    Ok(ok(render::configuration(&app.account, &call.account_base(), &configuration, service)))
}

pub(super) async fn update(State(app): State<App>, call: Call, form: Form) -> Reply {
    let fields = ConfigurationFields {
        chat_service_sid: form.owned("DefaultChatServiceSid"),
        messaging_service_sid: form.owned("DefaultMessagingServiceSid"),
        inactive_timer: form.owned("DefaultInactiveTimer"),
        closed_timer: form.owned("DefaultClosedTimer"),
    };
    let changed = app.owner.call(move |state| {
        let configuration = state.update_configuration(&fields)?;
        Ok::<_, ApiError>((configuration, state.default_service()))
    });
    let (configuration, service) = changed.await??;
    Ok(ok(render::configuration(&app.account, &call.account_base(), &configuration, service)))
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
    let sid = call.service;
    let service = app.owner.call(move |state| state.service(sid).cloned()).await??;
    Ok(ok(render::service_webhooks(&app.account, &call.base(), &service)))
}

pub(super) async fn configure_service(State(app): State<App>, call: Call, form: Form) -> Reply {
    let fields = WebhookConfigFields { target: None, ..fields(&form) };
    let sid = call.service;
    let service = app.owner.call(move |state| state.update_service_webhooks(sid, &fields)).await??;
    Ok(ok(render::service_webhooks(&app.account, &call.base(), &service)))
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
