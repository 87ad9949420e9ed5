//! What the events carry. Each payload is a table: field, type, how it is read, from which parameter.
//!
//! Fields are optional unless the event makes no sense without them.

use jiff::Timestamp;

use super::WebhookError;
use super::parameters::Parameters;
use crate::rest::{BindingType, ConversationState, DeliveryStatus, MessageMedia};
use crate::sid::{
    AnySid, ConversationSid, MessageSid, MessagingServiceSid, ParticipantSid, ReceiptSid, RoleSid, ServiceSid, UserSid,
};

/// Declares a payload and how it is read: each field by a method of [`Parameters`] from the parameter of that name.
macro_rules! payload {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $type:ty = $read:ident($($parameter:literal)?),)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            $($(#[$doc])* pub $field: $type,)+
        }

        impl $name {
            pub(super) fn parse(from: &mut Parameters<'_>) -> Result<Self, WebhookError> {
                Ok(Self { $($field: from.$read($($parameter)?)?,)+ })
            }
        }
    };
}

payload! {
    /// The addresses of a person on a channel. With Group MMS `address` holds a list, as Twilio sends it.
    Binding {
        /// The channel; read without regard to case.
        kind: Option<BindingType> = kept("MessagingBinding.Type"),
        /// The person's address.
        address: Option<String> = text("MessagingBinding.Address"),
        /// The Twilio address that the person wrote to.
        proxy_address: Option<String> = text("MessagingBinding.ProxyAddress"),
        /// The Twilio address that a chat user speaks from.
        projected_address: Option<String> = text("MessagingBinding.ProjectedAddress"),
        /// The address of the message's author.
        author_address: Option<String> = text("MessagingBinding.AuthorAddress"),
    }
}

payload! {
    /// A conversation that is to be created.
    ConversationProposed {
        /// A name for people.
        friendly_name: Option<String> = text("FriendlyName"),
        /// A name that can stand for the SID in paths.
        unique_name: Option<String> = text("UniqueName"),
        /// JSON as text.
        attributes: Option<String> = text("Attributes"),
        /// The service it belongs to.
        chat_service_sid: Option<ServiceSid> = parsed("ChatServiceSid"),
        /// The Messaging Service that its SMS go through.
        messaging_service_sid: Option<MessagingServiceSid> = parsed("MessagingServiceSid"),
        /// How the person is reached.
        messaging_binding: Binding = binding(),
        /// The text that would open the conversation.
        message_body: Option<String> = text("MessageBody"),
        /// The attached files.
        media: Vec<MessageMedia> = media("Media"),
        /// Where the conversation is in its life.
        state: Option<ConversationState> = kept("State"),
    }
}

payload! {
    /// A conversation that was created.
    ConversationCreated {
        /// The conversation.
        conversation_sid: ConversationSid = required("ConversationSid"),
        /// When it was created.
        date_created: Option<Timestamp> = parsed("DateCreated"),
        /// When it was last changed.
        date_updated: Option<Timestamp> = parsed("DateUpdated"),
        /// A name for people.
        friendly_name: Option<String> = text("FriendlyName"),
        /// A name that can stand for the SID in paths.
        unique_name: Option<String> = text("UniqueName"),
        /// JSON as text.
        attributes: Option<String> = text("Attributes"),
        /// The service it belongs to.
        chat_service_sid: Option<ServiceSid> = parsed("ChatServiceSid"),
        /// The Messaging Service that its SMS go through.
        messaging_service_sid: Option<MessagingServiceSid> = parsed("MessagingServiceSid"),
        /// How the person is reached.
        messaging_binding: Binding = binding(),
        /// Where the conversation is in its life.
        state: Option<ConversationState> = kept("State"),
    }
}

payload! {
    /// A conversation that was changed or deleted, or is to be.
    ConversationChanged {
        /// The conversation.
        conversation_sid: ConversationSid = required("ConversationSid"),
        /// When it was created.
        date_created: Option<Timestamp> = parsed("DateCreated"),
        /// When it was last changed.
        date_updated: Option<Timestamp> = parsed("DateUpdated"),
        /// When it was removed; only once it is.
        date_removed: Option<Timestamp> = parsed("DateRemoved"),
        /// A name for people.
        friendly_name: Option<String> = text("FriendlyName"),
        /// A name that can stand for the SID in paths.
        unique_name: Option<String> = text("UniqueName"),
        /// JSON as text.
        attributes: Option<String> = text("Attributes"),
        /// The service it belongs to.
        chat_service_sid: Option<ServiceSid> = parsed("ChatServiceSid"),
        /// The Messaging Service that its SMS go through.
        messaging_service_sid: Option<MessagingServiceSid> = parsed("MessagingServiceSid"),
        /// Where the conversation is in its life.
        state: Option<ConversationState> = kept("State"),
    }
}

payload! {
    /// A conversation whose state changed.
    StateUpdated {
        /// The conversation.
        conversation_sid: ConversationSid = required("ConversationSid"),
        /// The service of the conversation.
        chat_service_sid: Option<ServiceSid> = parsed("ChatServiceSid"),
        /// The Messaging Service of the conversation.
        messaging_service_sid: Option<MessagingServiceSid> = parsed("MessagingServiceSid"),
        /// The state before.
        state_from: ConversationState = required_kept("StateFrom"),
        /// The state now.
        state_to: ConversationState = required_kept("StateTo"),
        /// When it changed.
        state_updated: Option<Timestamp> = parsed("StateUpdated"),
        /// Why: `API`, `TIMER` or `EVENT`.
        reason: Option<String> = text("Reason"),
    }
}

payload! {
    /// A message that is to be posted.
    MessageProposed {
        /// The conversation.
        conversation_sid: ConversationSid = required("ConversationSid"),
        /// The text; empty for media alone.
        body: String = text_or_empty("Body"),
        /// An address, an identity, or whatever a REST request said.
        author: Option<String> = text("Author"),
        /// The participant who wrote it; absent for `system`.
        participant_sid: Option<ParticipantSid> = parsed("ParticipantSid"),
        /// JSON as text.
        attributes: Option<String> = text("Attributes"),
        /// The attached files.
        media: Vec<MessageMedia> = media("Media"),
    }
}

payload! {
    /// A message that was posted.
    MessageAdded {
        /// The conversation.
        conversation_sid: ConversationSid = required("ConversationSid"),
        /// The message.
        message_sid: MessageSid = required("MessageSid"),
        /// The Messaging Service of the conversation.
        messaging_service_sid: Option<MessagingServiceSid> = parsed("MessagingServiceSid"),
        /// Its place in the conversation, from 0; numbers may be skipped.
        index: u64 = required("Index"),
        /// When it was created.
        date_created: Option<Timestamp> = parsed("DateCreated"),
        /// The text; empty for media alone.
        body: String = text_or_empty("Body"),
        /// An address, an identity, or whatever a REST request said.
        author: String = required("Author"),
        /// The participant who wrote it; absent for `system`.
        participant_sid: Option<ParticipantSid> = parsed("ParticipantSid"),
        /// JSON as text.
        attributes: Option<String> = text("Attributes"),
        /// The attached files.
        media: Vec<MessageMedia> = media("Media"),
    }
}

payload! {
    /// A message that was changed or deleted, or is to be.
    MessageChanged {
        /// The conversation.
        conversation_sid: ConversationSid = required("ConversationSid"),
        /// The message.
        message_sid: MessageSid = required("MessageSid"),
        /// Its place in the conversation, from 0; numbers may be skipped.
        index: Option<u64> = parsed("Index"),
        /// When it was created.
        date_created: Option<Timestamp> = parsed("DateCreated"),
        /// When it was last changed.
        date_updated: Option<Timestamp> = parsed("DateUpdated"),
        /// When it was removed; only once it is.
        date_removed: Option<Timestamp> = parsed("DateRemoved"),
        /// The text; empty for media alone.
        body: String = text_or_empty("Body"),
        /// An address, an identity, or whatever a REST request said.
        author: Option<String> = text("Author"),
        /// The participant who wrote it; absent for `system`.
        participant_sid: Option<ParticipantSid> = parsed("ParticipantSid"),
        /// JSON as text.
        attributes: Option<String> = text("Attributes"),
        /// The attached files.
        media: Vec<MessageMedia> = media("Media"),
    }
}

payload! {
    /// A participant that is to join.
    ParticipantProposed {
        /// The conversation.
        conversation_sid: ConversationSid = required("ConversationSid"),
        /// The chat user; absent for someone on a channel.
        identity: Option<String> = text("Identity"),
        /// What it may do.
        role_sid: Option<RoleSid> = parsed("RoleSid"),
        /// JSON as text.
        attributes: Option<String> = text("Attributes"),
        /// How the person is reached.
        messaging_binding: Binding = binding(),
    }
}

payload! {
    /// A participant that joined, was changed or left, or is to.
    ParticipantChanged {
        /// The conversation.
        conversation_sid: ConversationSid = required("ConversationSid"),
        /// The participant.
        participant_sid: ParticipantSid = required("ParticipantSid"),
        /// When it was created.
        date_created: Option<Timestamp> = parsed("DateCreated"),
        /// When it was last changed.
        date_updated: Option<Timestamp> = parsed("DateUpdated"),
        /// When it was removed; only once it is.
        date_removed: Option<Timestamp> = parsed("DateRemoved"),
        /// The chat user; absent for someone on a channel.
        identity: Option<String> = text("Identity"),
        /// What it may do.
        role_sid: Option<RoleSid> = parsed("RoleSid"),
        /// JSON as text.
        attributes: Option<String> = text("Attributes"),
        /// How the person is reached.
        messaging_binding: Binding = binding(),
        /// The index of the last message it read.
        last_read_message_index: Option<u64> = parsed("LastReadMessageIndex"),
    }
}

payload! {
    /// What became of a message to one recipient.
    DeliveryUpdated {
        /// The conversation.
        conversation_sid: ConversationSid = required("ConversationSid"),
        /// The service of the conversation.
        chat_service_sid: Option<ServiceSid> = parsed("ChatServiceSid"),
        /// The message.
        message_sid: MessageSid = required("MessageSid"),
        /// The receipt that changed.
        delivery_receipt_sid: ReceiptSid = required("DeliveryReceiptSid"),
        /// The message on the channel.
        channel_message_sid: Option<AnySid> = parsed("ChannelMessageSid"),
        /// The recipient.
        participant_sid: Option<ParticipantSid> = parsed("ParticipantSid"),
        /// What became of the message.
        status: DeliveryStatus = required_kept("Status"),
        /// Twilio's code for a failure.
        error_code: Option<u32> = parsed("ErrorCode"),
        /// When it was created.
        date_created: Option<Timestamp> = parsed("DateCreated"),
        /// When it was last changed.
        date_updated: Option<Timestamp> = parsed("DateUpdated"),
    }
}

payload! {
    /// A user that was created or changed, or is to be.
    UserChanged {
        /// The service it belongs to.
        chat_service_sid: Option<ServiceSid> = parsed("ChatServiceSid"),
        /// The user.
        user_sid: UserSid = required("UserSid"),
        /// The chat user; absent for someone on a channel.
        identity: Option<String> = text("Identity"),
        /// What it may do.
        role_sid: Option<RoleSid> = parsed("RoleSid"),
        /// JSON as text.
        attributes: Option<String> = text("Attributes"),
        /// A name for people.
        friendly_name: Option<String> = text("FriendlyName"),
        /// When it was created.
        date_created: Option<Timestamp> = parsed("DateCreated"),
        /// When it was last changed.
        date_updated: Option<Timestamp> = parsed("DateUpdated"),
        /// Whether a client of the user is connected.
        is_online: Option<bool> = parsed("isOnline"),
        /// Whether the user can be notified.
        is_notifiable: Option<bool> = parsed("isNotifiable"),
    }
}
