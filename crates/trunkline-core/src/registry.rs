//! Provider name → backend.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::Config;

/// Builds a backend from its configuration. It connects to nothing: that is what `start` is for.
pub type Factory<B, E> = Arc<dyn Fn(Config) -> Result<Arc<B>, E> + Send + Sync>;

/// The registry has no factory of the name that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownProvider {
    /// What was asked for.
    pub name: String,
    /// What there is.
    pub known: Vec<String>,
}

impl fmt::Display for UnknownProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown provider {:?}; known: {}", self.name, self.known.join(", "))
    }
}

/// The providers of one contract `B` that a program was built with. `E` is the contract's error.
pub struct Registry<B: ?Sized, E> {
    factories: BTreeMap<String, Factory<B, E>>,
}

impl<B: ?Sized, E: From<UnknownProvider>> Registry<B, E> {
    /// A registry that knows nobody.
    pub const fn new() -> Self {
        Self { factories: BTreeMap::new() }
    }

    /// Makes `name` known; a later factory of the same name replaces an earlier one.
    pub fn register(&mut self, name: impl Into<String>, factory: Factory<B, E>) {
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
    pub fn create(&self, name: &str, config: Config) -> Result<Arc<B>, E> {
        let Some(factory) = self.factories.get(name) else {
            let known = self.factories.keys().cloned().collect();
            return Err(E::from(UnknownProvider { name: name.to_owned(), known }));
        };
        factory(config)
    }
}

impl<B: ?Sized, E> Clone for Registry<B, E> {
    fn clone(&self) -> Self {
        Self { factories: self.factories.clone() }
    }
}

impl<B: ?Sized, E: From<UnknownProvider>> Default for Registry<B, E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<B: ?Sized, E> fmt::Debug for Registry<B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.factories.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messaging::{ConversationalBackend, ErrorCode, MessagingError, Operation};

    #[test]
    fn an_unknown_provider_is_told_the_known_ones() {
        let mut registry = Registry::<dyn ConversationalBackend, MessagingError>::new();
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
