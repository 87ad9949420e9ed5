//! Participants.

use trunkline_proto::rest::Participant;

use super::client::{Call, Form};
use super::{Listing, RestClient, RestError};

const ALL: &str = "/v1/Conversations/{conversation}/Participants";
const ONE: &str = "/v1/Conversations/{conversation}/Participants/{participant}";

/// Who is added: an identity, or a pair of addresses. No `Debug`: it names a person.
#[derive(Clone, Default)]
pub struct NewParticipant {
    /// A chat user.
    pub identity: Option<String>,
    /// A person's address, `+E164` or `whatsapp:+E164`.
    pub address: Option<String>,
    /// The account's address that the person writes to.
    pub proxy_address: Option<String>,
    /// The account's address that a chat user speaks from in Group MMS.
    pub projected_address: Option<String>,
    /// JSON as text, at most 4 KB.
    pub attributes: Option<String>,
    /// The role, by its SID.
    pub role_sid: Option<String>,
}

impl RestClient {
    /// Adds a participant. One who is there already is refused with code 50433 or 50416.
    ///
    /// # Cancel safety
    /// May have taken effect; adding again is refused with one of those codes.
    pub async fn add_participant(&self, conversation: &str, new: &NewParticipant) -> Result<Participant, RestError> {
        let mut form = Form::default();
        form.set("Identity", new.identity.as_deref());
        form.set("MessagingBinding.Address", new.address.as_deref());
        form.set("MessagingBinding.ProxyAddress", new.proxy_address.as_deref());
        form.set("MessagingBinding.ProjectedAddress", new.projected_address.as_deref());
        form.set("Attributes", new.attributes.as_deref());
        form.set("RoleSid", new.role_sid.as_deref());
        self.fetch(Call::create(self.conversation_url(conversation, &["Participants"])?, ALL, form)).await
    }

    /// Removes a participant, named by SID or identity.
    ///
    /// # Cancel safety
    /// May have taken effect; removing again answers "not found".
    pub async fn remove_participant(&self, conversation: &str, participant: &str) -> Result<(), RestError> {
        let url = self.conversation_url(conversation, &["Participants", participant])?;
        self.execute(Call::delete(url, ONE)).await.map(drop)
    }

    /// Lists the participants of a conversation.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn list_participants(&self, conversation: &str, limit: usize) -> Result<Listing<Participant>, RestError> {
        self.list(self.conversation_url(conversation, &["Participants"])?, ALL, limit).await
    }
}
