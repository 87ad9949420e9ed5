//! Push notifications of a service: how they are worded. They are kept and shown; nobody here has a device to push to.

use serde::{Deserialize, Serialize};
use trunkline_proto::sid::ServiceSid;

use super::State;
use super::limits;
use super::services::Service;
use crate::error::ApiError;

/// One kind of notification.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notification {
    pub(crate) enabled: bool,
    pub(crate) template: String,
    pub(crate) sound: String,
}

/// All notifications of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notifications {
    pub(crate) log_enabled: bool,
    pub(crate) new_message: Notification,
    pub(crate) badge_count_enabled: bool,
    pub(crate) with_media_enabled: bool,
    pub(crate) with_media_template: String,
    pub(crate) added: Notification,
    pub(crate) removed: Notification,
}

/// What a caller says of one kind of notification. `None` is not said.
#[derive(Debug, Clone, Default)]
pub(crate) struct NotificationFields {
    pub(crate) enabled: Option<bool>,
    pub(crate) template: Option<String>,
    pub(crate) sound: Option<String>,
}

/// What a caller says of a service's notifications. `None` is not said.
#[derive(Debug, Clone, Default)]
pub(crate) struct NotificationsFields {
    pub(crate) log_enabled: Option<bool>,
    pub(crate) new_message: NotificationFields,
    pub(crate) badge_count_enabled: Option<bool>,
    pub(crate) with_media_enabled: Option<bool>,
    pub(crate) with_media_template: Option<String>,
    pub(crate) added: NotificationFields,
    pub(crate) removed: NotificationFields,
}

impl NotificationFields {
    fn apply(self, to: &mut Notification) -> Result<(), ApiError> {
        set(&mut to.enabled, self.enabled);
        set_text(&mut to.template, self.template)?;
        set_text(&mut to.sound, self.sound)
    }
}

impl State {
    pub(crate) fn update_notifications(
        &mut self,
        service: ServiceSid,
        fields: NotificationsFields,
    ) -> Result<Service, ApiError> {
        self.change_service(service, |service| {
            let to = &mut service.notifications;
            set(&mut to.log_enabled, fields.log_enabled);
            set(&mut to.badge_count_enabled, fields.badge_count_enabled);
            set(&mut to.with_media_enabled, fields.with_media_enabled);
            set_text(&mut to.with_media_template, fields.with_media_template)?;
            fields.new_message.apply(&mut to.new_message)?;
            fields.added.apply(&mut to.added)?;
            fields.removed.apply(&mut to.removed)
        })
    }
}

fn set<T>(to: &mut T, said: Option<T>) {
    if let Some(said) = said {
        *to = said;
    }
}

fn set_text(to: &mut String, said: Option<String>) -> Result<(), ApiError> {
    if said.as_ref().is_some_and(|text| text.chars().count() > limits::MAX_TEMPLATE_CHARS) {
        return Err(ApiError::parameter("Template or Sound"));
    }
    set(to, said);
    Ok(())
}
