//! Provider name → backend.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::{Config, ConversationalBackend, ErrorCode, MessagingError, Operation};

/// Builds a backend from its configuration. It connects to nothing: that is what `start` is for.
pub type Factory = Arc<dyn Fn(Config) -> Result<Arc<dyn ConversationalBackend>, MessagingError> + Send + Sync>;

/// The providers that a program was built with.
#[derive(Clone, Default)]
pub struct Registry {
    factories: BTreeMap<String, Factory>,
}

impl Registry {
    /// A registry that knows nobody.
    pub const fn new() -> Self {
        Self { factories: BTreeMap::new() }
    }

    /// Makes `name` known; a later factory of the same name replaces an earlier one.
    pub fn register(&mut self, name: impl Into<String>, factory: Factory) {
        self.factories.insert(name.into(), factory);
    }

    /// The known names, sorted.
    pub fn providers(&self) -> impl Iterator<Item = &str> {
        self.factories.keys().map(String::as_str)
    }

    /// Builds the backend of provider `name`.
    ///
    /// # Errors
    /// `ErrCodeProviderNotFound` with the known names, or whatever the factory refuses (`ErrCodeInvalidConfig`).
    pub fn create(&self, name: &str, config: Config) -> Result<Arc<dyn ConversationalBackend>, MessagingError> {
        let Some(factory) = self.factories.get(name) else {
            let known: Vec<_> = self.providers().collect();
            return Err(MessagingError::new(
                Operation::NewBackend,
                ErrorCode::ProviderNotFound,
                format!("unknown provider {name:?}; known: {}", known.join(", ")),
            ));
        };
        factory(config)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.providers()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_provider_is_told_the_known_ones() {
        let mut registry = Registry::new();
        registry.register(
            "twilio",
            Arc::new(|_| Err(MessagingError::new(Operation::NewBackend, ErrorCode::InvalidConfig, "no account"))),
        );
        let config = Config::builder().provider("vonage").build().expect("valid");
        let error = registry.create("vonage", config.clone()).err().expect("refused");
        assert_eq!(error.code(), ErrorCode::ProviderNotFound);
        assert!(error.to_string().contains("known: twilio"), "{error}");
        let error = registry.create("twilio", config).err().expect("refused");
        assert_eq!(error.code(), ErrorCode::InvalidConfig);
    }
}
