//! Lists, page after page.

use serde::de::DeserializeOwned;
use trunkline_proto::rest::{MAX_PAGE_SIZE, Page};
use url::Url;

use super::client::Call;
use super::{RestClient, RestError};

/// The most pages that one list is followed through: 100,000 items of the usual size.
pub const MAX_PAGES: usize = 1_000;

/// What was found of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing<T> {
    /// The items, in Twilio's order.
    pub items: Vec<T>,
    /// Whether these are all: false if a limit ended the search.
    pub is_complete: bool,
}

/// Pages of one list, one request each.
pub(super) struct Pages<'a> {
    client: &'a RestClient,
    template: &'static str,
    next: Option<Url>,
    left: usize,
}

impl RestClient {
    /// Starts at the first page of a list whose filters are already in `url`.
    pub(super) fn pages(&self, mut url: Url, template: &'static str, page_size: u32) -> Pages<'_> {
        url.query_pairs_mut().append_pair("PageSize", &page_size.clamp(1, MAX_PAGE_SIZE).to_string());
        Pages { client: self, template, next: Some(url), left: MAX_PAGES }
    }

    /// Follows a list until it ends or `limit` items are found.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        url: Url,
        template: &'static str,
        limit: usize,
    ) -> Result<Listing<T>, RestError> {
        self.list_by(MAX_PAGE_SIZE, url, template, limit).await
    }

    /// The same with pages that are not larger than this.
    pub(super) async fn list_by<T: DeserializeOwned>(
        &self,
        max_page_size: u32,
        url: Url,
        template: &'static str,
        limit: usize,
    ) -> Result<Listing<T>, RestError> {
        let page_size = u32::try_from(limit).map_or(max_page_size, |limit| limit.min(max_page_size));
        let mut pages = self.pages(url, template, page_size);
        let mut items = Vec::new();
        while let Some(page) = pages.next().await? {
            items.extend(page);
            if items.len() >= limit {
                break;
            }
        }
        let is_complete = items.len() <= limit && pages.is_at_end();
        items.truncate(limit);
        Ok(Listing { items, is_complete })
    }
}

impl Pages<'_> {
    /// The items of the next page; `None` after the last, and after [`MAX_PAGES`].
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<Vec<T>>, RestError> {
        if self.left == 0 {
            return Ok(None);
        }
        let Some(url) = self.next.take() else { return Ok(None) };
        self.left -= 1;
        let page: Page<T> = self.client.fetch(Call::read(url.clone(), self.template)).await?;
        if let Some(next) = page.meta.next_page_url {
            self.next = Some(following(url, &next)?);
        }
        Ok(Some(page.items))
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.next.is_none()
    }
}

/// The next page's address: only its query is taken over, so that credentials go nowhere but to the host and path that
/// were configured.
fn following(mut url: Url, next: &str) -> Result<Url, RestError> {
    let next = Url::parse(next).map_err(|_| RestError::Decode)?;
    if next.query() == url.query() {
        // A page that is its own successor never ends.
        return Err(RestError::Decode);
    }
    url.set_query(next.query());
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_query_of_the_next_page_is_followed() {
        let url = Url::parse("https://conversations.twilio.com/v1/Conversations?PageSize=50").unwrap();
        let next = following(url.clone(), "http://elsewhere.example/steal?PageSize=50&Page=1&PageToken=x").unwrap();
        assert_eq!(next.as_str(), "https://conversations.twilio.com/v1/Conversations?PageSize=50&Page=1&PageToken=x");
        assert!(matches!(following(url.clone(), "https://x/y?PageSize=50"), Err(RestError::Decode)));
        assert!(matches!(following(url, "/relative"), Err(RestError::Decode)));
    }
}
