//! The error of a contract's operation, and the table of its codes.

use std::error::Error;
use std::fmt;

use crate::Retry;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident => $name:literal),+ $(,)?) => {
        /// The contract's error codes. Their names are part of the public surface and never change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* $variant),+
        }

        impl std::fmt::Display for ErrorCode {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ErrorCode {
            /// Every code, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code as the contract writes it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }
        }
    };
}
pub(crate) use codes;

/// What went wrong, in which operation, and whether it may be tried again.
#[derive(Debug)]
pub struct OperationError<O, C> {
    operation: O,
    code: C,
    message: String,
    provider_code: Option<&'static str>,
    provider_number: Option<u32>,
    retry: Retry,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl<O: Copy, C: Copy> OperationError<O, C> {
    /// An error that will not go away by itself. `message` is for people: no secrets, no personal data.
    pub fn new(operation: O, code: C, message: impl Into<String>) -> Self {
        Self {
            operation,
            code,
            message: message.into(),
            provider_code: None,
            provider_number: None,
            retry: Retry::No,
            source: None,
        }
    }

    /// Says whether it may be tried again.
    #[must_use]
    pub const fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Adds the provider's own code (such as `ErrCodeTwilioRateLimit`) and error number (such as 20429).
    #[must_use]
    pub const fn with_provider(mut self, code: &'static str, number: Option<u32>) -> Self {
        self.provider_code = Some(code);
        self.provider_number = number;
        self
    }

    /// Keeps what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// The operation that failed.
    pub const fn operation(&self) -> O {
        self.operation
    }

    /// The contract's code.
    pub const fn code(&self) -> C {
        self.code
    }

    /// The provider's own code, if the failure came from there.
    pub const fn provider_code(&self) -> Option<&'static str> {
        self.provider_code
    }

    /// The provider's error number, if it gave one.
    pub const fn provider_number(&self) -> Option<u32> {
        self.provider_number
    }

    /// Whether it may be tried again.
    pub const fn retry(&self) -> Retry {
        self.retry
    }
}

impl<O: fmt::Display, C: fmt::Display> fmt::Display for OperationError<O, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({}", self.operation, self.message, self.code)?;
        if let Some(number) = self.provider_number {
            write!(f, ", provider error {number}")?;
        }
        f.write_str(")")
    }
}

impl<O: fmt::Debug + fmt::Display, C: fmt::Debug + fmt::Display> Error for OperationError<O, C> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messaging::{ErrorCode, MessagingError, Operation};

    #[test]
    fn an_error_names_operation_code_and_cause() {
        let cause = std::io::Error::other("reset");
        let error = MessagingError::new(Operation::SendMessage, ErrorCode::RateLimit, "slow down")
            .with_provider("ErrCodeTwilioRateLimit", Some(20429))
            .with_source(cause);
        assert_eq!(error.to_string(), "send_message: slow down (ErrCodeRateLimit, provider error 20429)");
        assert_eq!(error.source().expect("source").to_string(), "reset");
        assert_eq!(error.provider_code(), Some("ErrCodeTwilioRateLimit"));
    }
}
