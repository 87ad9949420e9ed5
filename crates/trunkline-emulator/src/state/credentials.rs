//! Push credentials, and the devices that want push notifications. Both are kept and shown; nothing is pushed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trunkline_proto::sid::{CredentialSid, PushBindingSid, ServiceSid};

use super::limits;
use super::paging::{Cursor, Order, Slice, slice};
use super::{Key, State};
use crate::error::{self, ApiError};

/// What pushes: Apple's service or one of Google's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PushKind {
    Apn,
    Gcm,
    Fcm,
}

impl PushKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Apn => "apn",
            Self::Gcm => "gcm",
            Self::Fcm => "fcm",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Apn, Self::Gcm, Self::Fcm].into_iter().find(|kind| text.eq_ignore_ascii_case(kind.as_str()))
    }
}

/// A credential. What it proves itself with is checked and forgotten.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Credential {
    pub(crate) sid: CredentialSid,
    pub(crate) position: u64,
    pub(crate) kind: PushKind,
    pub(crate) friendly_name: Option<String>,
    /// Apple's only.
    pub(crate) sandbox: Option<bool>,
    pub(crate) date_created: Timestamp,
    pub(crate) date_updated: Timestamp,
}

/// What a caller says of a credential. `None` is not said.
#[derive(Debug, Clone, Default)]
pub(crate) struct CredentialFields {
    pub(crate) kind: Option<String>,
    pub(crate) friendly_name: Option<String>,
    pub(crate) sandbox: Option<bool>,
    /// Both halves of what Apple asks for.
    pub(crate) has_certificate: bool,
    /// What Google asks for.
    pub(crate) has_secret: bool,
}

/// A device of a user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PushBinding {
    pub(crate) sid: PushBindingSid,
    pub(crate) position: u64,
    pub(crate) service_sid: ServiceSid,
    pub(crate) credential_sid: CredentialSid,
    pub(crate) kind: PushKind,
    pub(crate) identity: String,
    pub(crate) endpoint: String,
    pub(crate) message_types: Vec<String>,
    pub(crate) date_created: Timestamp,
    pub(crate) date_updated: Timestamp,
}

/// A device that registers.
#[derive(Debug, Clone)]
pub(crate) struct PushBindingFields {
    pub(crate) credential_sid: String,
    pub(crate) identity: String,
    pub(crate) endpoint: String,
    pub(crate) message_types: Vec<String>,
}

impl State {
    pub(crate) fn list_credentials(&self, size: usize, cursor: Option<Cursor>) -> Slice<Credential> {
        slice(&self.credentials, Order::Ascending, size, cursor, |one| Some(one.clone()))
    }

    pub(crate) fn credential(&self, sid: &str) -> Result<&Credential, ApiError> {
        let missing = || ApiError::not_found(&format!("/Credentials/{sid}"));
        self.credentials.values().find(|one| one.sid.as_str() == sid).ok_or_else(missing)
    }

    pub(crate) fn add_credential(&mut self, fields: &CredentialFields) -> Result<Credential, ApiError> {
        let kind = fields.kind.as_deref().and_then(PushKind::parse).ok_or_else(|| ApiError::parameter("Type"))?;
        let is_proven = match kind {
            PushKind::Apn => fields.has_certificate,
            PushKind::Gcm | PushKind::Fcm => fields.has_secret,
        };
        if !is_proven {
            return Err(ApiError::parameter("Certificate and PrivateKey, ApiKey or Secret"));
        }
        if self.credentials.len() >= limits::MAX_CREDENTIALS {
            return Err(error::FULL);
        }
        let now = self.now();
        let credential = Credential {
            sid: self.random_sid(CredentialSid::from_random),
            position: self.position(),
            kind,
            friendly_name: None,
            sandbox: (kind == PushKind::Apn).then_some(false),
            date_created: now,
            date_updated: now,
        };
        self.put_credential(credential, fields)
    }

    pub(crate) fn update_credential(&mut self, sid: &str, fields: &CredentialFields) -> Result<Credential, ApiError> {
        let mut credential = self.credential(sid)?.clone();
        // A credential stays what it is.
        if fields.kind.as_deref().is_some_and(|kind| PushKind::parse(kind) != Some(credential.kind)) {
            return Err(ApiError::parameter("Type"));
        }
        credential.date_updated = self.now();
        self.put_credential(credential, fields)
    }

    fn put_credential(
        &mut self,
        mut credential: Credential,
        fields: &CredentialFields,
    ) -> Result<Credential, ApiError> {
        if let Some(name) = &fields.friendly_name {
            limits::check_name(name, error::FRIENDLY_NAME_TOO_LONG)?;
            credential.friendly_name = Some(name.clone()).filter(|name| !name.is_empty());
        }
        if credential.kind == PushKind::Apn && fields.sandbox.is_some() {
            credential.sandbox = fields.sandbox;
        }
        self.effects.dirty.insert(Key::Credential(credential.position));
        self.credentials.insert(credential.position, credential.clone());
        Ok(credential)
    }

    /// Takes a credential away, and the devices that were registered with it.
    pub(crate) fn remove_credential(&mut self, sid: &str) -> Result<(), ApiError> {
        let (sid, position) = self.credential(sid).map(|one| (one.sid, one.position))?;
        self.credentials.remove(&position);
        self.effects.dirty.insert(Key::Credential(position));
        self.remove_push_bindings(|binding| binding.credential_sid == sid);
        Ok(())
    }

    pub(crate) fn list_push_bindings(
        &self,
        service: ServiceSid,
        kinds: &[PushKind],
        identities: &[String],
        size: usize,
        cursor: Option<Cursor>,
    ) -> Slice<PushBinding> {
        slice(&self.push_bindings, Order::Ascending, size, cursor, |one| {
            let is_meant = one.service_sid == service
                && (kinds.is_empty() || kinds.contains(&one.kind))
                && (identities.is_empty() || identities.contains(&one.identity));
            is_meant.then(|| one.clone())
        })
    }

    pub(crate) fn push_binding(&self, service: ServiceSid, sid: &str) -> Result<&PushBinding, ApiError> {
        let found = self.push_bindings.values().find(|one| one.service_sid == service && one.sid.as_str() == sid);
        found.ok_or_else(|| ApiError::not_found(&format!("/Bindings/{sid}")))
    }

    /// A device of a user registers, in the default service.
    pub(crate) fn add_push_binding(&mut self, fields: PushBindingFields) -> Result<PushBinding, ApiError> {
        let PushBindingFields { credential_sid, identity, endpoint, message_types } = fields;
        let credential = self.credential(&credential_sid)?;
        let (credential_sid, kind) = (credential.sid, credential.kind);
        for (text, name) in [(&identity, "identity"), (&endpoint, "endpoint")] {
            if text.is_empty() {
                return Err(ApiError::parameter(name));
            }
            limits::check_name(text, ApiError::parameter(name))?;
        }
        if message_types.iter().any(|one| !MESSAGE_TYPES.contains(&one.as_str())) {
            return Err(ApiError::parameter("message_types"));
        }
        if self.push_bindings.len() >= limits::MAX_PUSH_BINDINGS {
            return Err(error::FULL);
        }
        let now = self.now();
        let binding = PushBinding {
            sid: self.random_sid(PushBindingSid::from_random),
            position: self.position(),
            service_sid: self.default_service(),
            credential_sid,
            kind,
            identity,
            endpoint,
            message_types,
            date_created: now,
            date_updated: now,
        };
        self.effects.dirty.insert(Key::PushBinding(binding.position));
        self.push_bindings.insert(binding.position, binding.clone());
        Ok(binding)
    }

    pub(crate) fn remove_push_binding(&mut self, service: ServiceSid, sid: &str) -> Result<(), ApiError> {
        let position = self.push_binding(service, sid)?.position;
        self.remove_push_bindings(|binding| binding.position == position);
        Ok(())
    }

    pub(super) fn remove_push_bindings(&mut self, gone: impl Fn(&PushBinding) -> bool) {
        let positions: Vec<u64> = self.push_bindings.values().filter(|one| gone(one)).map(|one| one.position).collect();
        for position in positions {
            self.push_bindings.remove(&position);
            self.effects.dirty.insert(Key::PushBinding(position));
        }
    }
}

/// What a device can be told of.
const MESSAGE_TYPES: [&str; 3] = ["removed_from_conversation", "new_message", "added_to_conversation"];
