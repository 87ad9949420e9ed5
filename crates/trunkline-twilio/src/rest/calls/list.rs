//! Lists of the API of 2010: addresses of pages are relative, the items have a name of their own.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use trunkline_proto::calls::CallsPage;
use url::Url;

use super::super::client::Call as Request;
use super::super::{Listing, MAX_PAGES, RestError};
use super::Calls;

/// The largest page of a list.
pub const MAX_CALLS_PAGE: usize = 1_000;

/// Which calls are listed. `None` is no filter.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct CallFilter {
    /// Who was called.
    pub to: Option<String>,
    /// Who called.
    pub from: Option<String>,
    /// How far it has come, in Twilio's word.
    pub status: Option<String>,
    /// Begun on the day of this moment, in UTC, or later.
    pub started_since: Option<Timestamp>,
}

impl CallFilter {
    pub(super) fn put_into(&self, url: &mut Url) {
        let mut query = url.query_pairs_mut();
        for (name, value) in [("To", &self.to), ("From", &self.from), ("Status", &self.status)] {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        if let Some(since) = self.started_since {
            query.append_pair("StartTime>", &since.strftime("%Y-%m-%d").to_string());
        }
    }
}

impl Calls {
    /// Follows a list until it ends or `limit` items are found.
    pub(in crate::rest) async fn list_at<T: DeserializeOwned>(
        &self,
        mut url: Url,
        template: &'static str,
        limit: usize,
    ) -> Result<Listing<T>, RestError> {
        let page_size = limit.clamp(1, MAX_CALLS_PAGE);
        url.query_pairs_mut().append_pair("PageSize", &page_size.to_string());
        let mut items = Vec::new();
        for _ in 0..MAX_PAGES {
            let page: CallsPage<T> = self.rest.fetch(Request::read(url.clone(), template)).await?;
            items.extend(page.items);
            let Some(next) = page.next_page_uri else {
                let is_complete = items.len() <= limit;
                items.truncate(limit);
                return Ok(Listing { items, is_complete });
            };
            if items.len() >= limit {
                break;
            }
            url = following(url, &next)?;
        }
        items.truncate(limit);
        Ok(Listing { items, is_complete: false })
    }
}

/// The next page's address: only its query is taken over, so that credentials go nowhere but to the host and path that
/// were configured.
fn following(mut url: Url, next: &str) -> Result<Url, RestError> {
    let (_, query) = next.split_once('?').ok_or(RestError::Decode)?;
    if url.query() == Some(query) {
        // A page that is its own successor never ends.
        return Err(RestError::Decode);
    }
    url.set_query(Some(query));
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_query_of_a_relative_address_is_followed() {
        let url = Url::parse("https://api.twilio.com/2010-04-01/Accounts/AC/Calls.json?PageSize=1").unwrap();
        let next = following(url.clone(), "/elsewhere.json?PageSize=1&Page=1&PageToken=x").unwrap();
        assert_eq!(
            next.as_str(),
            "https://api.twilio.com/2010-04-01/Accounts/AC/Calls.json?PageSize=1&Page=1&PageToken=x"
        );
        assert!(matches!(following(url.clone(), "/x?PageSize=1"), Err(RestError::Decode)));
        assert!(matches!(following(url, "/x"), Err(RestError::Decode)));
    }
}
