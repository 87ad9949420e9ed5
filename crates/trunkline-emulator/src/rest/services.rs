//! `/Services`, `…/{IS}`, and the configuration of a service.

use axum::extract::State;

use super::call::{Call, Form};
use super::pages::PageRequest;
use super::{Reply, created, deleted, ok, render};
use crate::error::ApiError;
use crate::server::App;
use crate::state::{NotificationFields, NotificationsFields, Service, ServiceFields};

pub(super) async fn list(State(app): State<App>, call: Call) -> Reply {
    let page = PageRequest::of(&call, MAX_PAGE)?;
    let slice = app.owner.call(move |state| state.list_services(page.size, page.cursor)).await?;
    Ok(ok(page.body(&call, "services", slice, |service| one(&app, &call, &service))))
}

pub(super) async fn create(State(app): State<App>, call: Call, form: Form) -> Reply {
    let name = form.owned("FriendlyName");
    let service = app.owner.call(move |state| state.add_service(name)).await??;
    Ok(created(one(&app, &call, &service)))
}

pub(super) async fn fetch(State(app): State<App>, call: Call) -> Reply {
    Ok(ok(one(&app, &call, &find(&app, &call).await?)))
}

pub(super) async fn remove(State(app): State<App>, call: Call) -> Reply {
    let (service, origin) = (call.service, call.origin);
    app.owner.call(move |state| state.remove_service(service, origin)).await??;
    Ok(deleted())
}

pub(super) async fn configuration(State(app): State<App>, call: Call) -> Reply {
    Ok(ok(render::service_configuration(&call.base(), &find(&app, &call).await?)))
}

pub(super) async fn configure(State(app): State<App>, call: Call, form: Form) -> Reply {
    let fields = ServiceFields {
        creator_role: form.owned("DefaultConversationCreatorRoleSid"),
        participant_role: form.owned("DefaultConversationRoleSid"),
        user_role: form.owned("DefaultChatServiceRoleSid"),
        reachability_enabled: form.boolean("ReachabilityEnabled")?,
    };
    let sid = call.service;
    let service = app.owner.call(move |state| state.update_service(sid, &fields)).await??;
    Ok(ok(render::service_configuration(&call.base(), &service)))
}

pub(super) async fn notifications(State(app): State<App>, call: Call) -> Reply {
    Ok(ok(render::notifications(&app.account, &call.base(), &find(&app, &call).await?)))
}

pub(super) async fn configure_notifications(State(app): State<App>, call: Call, form: Form) -> Reply {
    let fields = NotificationsFields {
        log_enabled: form.boolean("LogEnabled")?,
        new_message: NotificationFields {
            enabled: form.boolean("NewMessage.Enabled")?,
            template: form.owned("NewMessage.Template"),
            sound: form.owned("NewMessage.Sound"),
        },
        badge_count_enabled: form.boolean("NewMessage.BadgeCountEnabled")?,
        with_media_enabled: form.boolean("NewMessage.WithMedia.Enabled")?,
        with_media_template: form.owned("NewMessage.WithMedia.Template"),
        added: NotificationFields {
            enabled: form.boolean("AddedToConversation.Enabled")?,
            template: form.owned("AddedToConversation.Template"),
            sound: form.owned("AddedToConversation.Sound"),
        },
        removed: NotificationFields {
            enabled: form.boolean("RemovedFromConversation.Enabled")?,
            template: form.owned("RemovedFromConversation.Template"),
            sound: form.owned("RemovedFromConversation.Sound"),
        },
    };
    let sid = call.service;
    let service = app.owner.call(move |state| state.update_notifications(sid, fields)).await??;
    Ok(ok(render::notifications(&app.account, &call.base(), &service)))
}

async fn find(app: &App, call: &Call) -> Result<Service, ApiError> {
    let sid = call.service;
    app.owner.call(move |state| state.service(sid).cloned()).await?
}

fn one(app: &App, call: &Call, service: &Service) -> serde_json::Value {
    render::service(&app.account, &call.service_base(service.sid.as_str()), service)
}

const MAX_PAGE: usize = 100;
