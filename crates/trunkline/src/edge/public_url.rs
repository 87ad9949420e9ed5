//! The URL that the provider called: what it signed.

/// Joins the public base with the path and query of a request.
pub(super) fn public_url(base: &str, path_and_query: &str) -> String {
    format!("{}{path_and_query}", base.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configured_base_wins_and_the_query_stays() {
        assert_eq!(
            public_url("https://gw.example.com/prefix", "/webhooks/twilio?tenant=7"),
            "https://gw.example.com/prefix/webhooks/twilio?tenant=7"
        );
        assert_eq!(public_url("http://127.0.0.1:8080/", "/webhooks/twilio"), "http://127.0.0.1:8080/webhooks/twilio");
    }
}
