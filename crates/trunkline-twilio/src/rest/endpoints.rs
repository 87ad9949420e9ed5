//! Which host serves what, by region and edge.

use url::Url;

/// The edge that a region is reached through if none is named, as in the official SDKs.
const DEFAULT_EDGES: &[(&str, &str)] = &[
    ("au1", "sydney"),
    ("br1", "sao-paulo"),
    ("de1", "frankfurt"),
    ("ie1", "dublin"),
    ("jp1", "tokyo"),
    ("jp2", "osaka"),
    ("sg1", "singapore"),
    ("us1", "ashburn"),
    ("us2", "umatilla"),
];

/// The region that is meant where one is needed and none is named.
const DEFAULT_REGION: &str = "us1";

/// The base addresses of Twilio's services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// Conversations.
    pub conversations: Url,
    /// The API of 2010: calls, messages, numbers.
    pub api: Url,
    /// The media service.
    pub media: Url,
}

/// Why there are no such endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointsError {
    /// A base URL that is not `http` or `https`, or has credentials, a query or a fragment.
    #[error("must be an http or https URL without credentials, query and fragment")]
    BaseUrl,
    /// A region or edge that cannot be part of a host name.
    #[error("must be made of lower-case letters, digits and hyphens")]
    Label,
    /// A region without a known edge.
    #[error("is not a known region; name its edge too")]
    Region,
}

impl EndpointsError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BaseUrl => "twilio.endpoints.base_url",
            Self::Label => "twilio.endpoints.label",
            Self::Region => "twilio.endpoints.region",
        }
    }
}

impl Endpoints {
    /// One address for everything, such as an emulator's. A path in it is kept as a prefix.
    ///
    /// # Errors
    /// `twilio.endpoints.base_url`.
    pub fn all_at(base_url: &str) -> Result<Self, EndpointsError> {
        let url = Url::parse(base_url).map_err(|_| EndpointsError::BaseUrl)?;
        let is_bare =
            url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
        if is_bare && matches!(url.scheme(), "http" | "https") && url.has_host() {
            Ok(Self { conversations: url.clone(), api: url.clone(), media: url })
        } else {
            Err(EndpointsError::BaseUrl)
        }
    }

    /// Twilio's own hosts: `product.twilio.com`, or `product.{edge}.{region}.twilio.com` if either is named. An edge
    /// alone means region `us1`; a region alone means its default edge. The media service has no edges.
    ///
    /// # Errors
    /// `twilio.endpoints.label`, `twilio.endpoints.region`.
    pub fn twilio(region: Option<&str>, edge: Option<&str>) -> Result<Self, EndpointsError> {
        for label in [region, edge].into_iter().flatten() {
            let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            if label.is_empty() || label.len() > 63 || !label.bytes().all(fits) {
                return Err(EndpointsError::Label);
            }
        }
        let place = match (region, edge) {
            (None, None) => String::new(),
            (region, Some(edge)) => format!(".{edge}.{}", region.unwrap_or(DEFAULT_REGION)),
            (Some(region), None) => {
                let known = DEFAULT_EDGES.iter().find(|(name, _)| *name == region);
                let (_, edge) = known.ok_or(EndpointsError::Region)?;
                format!(".{edge}.{region}")
            }
        };
        let host = |name: String| Url::parse(&format!("https://{name}.twilio.com")).map_err(|_| EndpointsError::Label);
        Ok(Self {
            conversations: host(format!("conversations{place}"))?,
            api: host(format!("api{place}"))?,
            media: host(format!("mcs.{}", region.unwrap_or(DEFAULT_REGION)))?,
        })
    }

    /// Whether everything stays on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        [&self.conversations, &self.api, &self.media].into_iter().all(|url| match url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(region: Option<&str>, edge: Option<&str>, conversations: &str, media: &str) {
        let endpoints = Endpoints::twilio(region, edge).unwrap();
        assert_eq!(endpoints.conversations.as_str(), conversations);
        assert_eq!(endpoints.media.as_str(), media);
    }

    #[test]
    fn region_and_edge_make_the_host() {
        let media = "https://mcs.us1.twilio.com/";
        check(None, None, "https://conversations.twilio.com/", media);
        check(None, Some("dublin"), "https://conversations.dublin.us1.twilio.com/", media);
        check(Some("ie1"), None, "https://conversations.dublin.ie1.twilio.com/", "https://mcs.ie1.twilio.com/");
        check(
            Some("au1"),
            Some("dublin"),
            "https://conversations.dublin.au1.twilio.com/",
            "https://mcs.au1.twilio.com/",
        );
    }

    #[test]
    fn what_makes_no_host_is_refused() {
        assert_eq!(Endpoints::twilio(Some("mars1"), None), Err(EndpointsError::Region));
        for label in ["", "a.b", "a/b", "Dublin", "a@b"] {
            assert_eq!(Endpoints::twilio(None, Some(label)), Err(EndpointsError::Label), "{label}");
        }
        for url in ["", "127.0.0.1:8090", "ftp://h", "http://u:p@h", "http://h?a", "http://h#a"] {
            assert_eq!(Endpoints::all_at(url), Err(EndpointsError::BaseUrl), "{url}");
        }
    }

    #[test]
    fn a_base_url_stands_for_every_host() {
        let endpoints = Endpoints::all_at("http://127.0.0.1:8090").unwrap();
        assert_eq!(endpoints.media, endpoints.conversations);
        assert!(endpoints.is_loopback());
        assert!(!Endpoints::twilio(None, None).unwrap().is_loopback());
    }
}
