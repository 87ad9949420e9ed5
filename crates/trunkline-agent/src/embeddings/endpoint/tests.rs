use trunkline_testing::{EmbeddingAnswer, EmbeddingServer};

use super::super::MAX_TEXT_BYTES;
use super::*;

async fn endpoint(dimensions: Option<usize>) -> (EmbeddingEndpoint, EmbeddingServer) {
    let server = EmbeddingServer::start(&[&["car", "automobile"], &["tea"]]).await.unwrap();
    let config = EmbeddingEndpointConfig {
        base_url: server.base_url().to_owned(),
        model: "concepts".to_owned(),
        key: Secret::new("sk-1"),
        dimensions,
        timeout: Duration::from_secs(5),
    };
    (EmbeddingEndpoint::new(config).unwrap(), server)
}

fn texts(texts: &[&str]) -> Vec<Pii<String>> {
    texts.iter().map(|text| Pii::new((*text).to_owned())).collect()
}

async fn code(endpoint: &EmbeddingEndpoint) -> &'static str {
    endpoint.embed(&texts(&["car"])).await.unwrap_err().code()
}

#[tokio::test]
async fn texts_become_vectors_in_their_order_batch_by_batch() {
    let (endpoint, server) = endpoint(None).await;
    assert_eq!((endpoint.model(), endpoint.dimensions()), ("concepts", None));
    let many: Vec<_> =
        (0..MAX_BATCH + 3).map(|number| Pii::new(if number == 1 { "tea" } else { "car" }.into())).collect();
    let vectors = endpoint.embed(&many).await.unwrap();
    assert_eq!(vectors.len(), many.len());
    assert!(vectors[0] == vectors[2] && vectors[0] != vectors[1] && vectors[0] == vectors[many.len() - 1]);
    assert_eq!(endpoint.dimensions(), Some(vectors[0].len()));
    let asked = server.asked();
    assert_eq!(asked.iter().map(|asked| asked.input.len()).collect::<Vec<_>>(), [MAX_BATCH, 3]);
    assert_eq!((asked[0].model.as_str(), asked[0].key.as_deref()), ("concepts", Some("sk-1")));
    assert!(endpoint.embed(&[]).await.unwrap().is_empty());
    let odd = endpoint.embed(&texts(&["", &"ä".repeat(MAX_TEXT_BYTES)])).await.unwrap();
    assert_eq!(odd.len(), 2);
    assert!(server.asked()[2].input.iter().all(|text| !text.is_empty() && text.len() <= MAX_TEXT_BYTES));
}

#[tokio::test]
async fn what_fails_for_now_is_tried_again_as_late_as_it_is_asked() {
    let (endpoint, server) = endpoint(None).await;
    server.next(&[EmbeddingAnswer::Status(429, Some(1)), EmbeddingAnswer::Status(503, None)]);
    let begun = std::time::Instant::now();
    assert_eq!(endpoint.embed(&texts(&["car"])).await.unwrap().len(), 1);
    assert!(begun.elapsed() >= Duration::from_millis(1_500), "{:?}", begun.elapsed());
    server.next(&[const { EmbeddingAnswer::Status(500, None) }; 3]);
    assert_eq!(code(&endpoint).await, "embeddings.unavailable");
    // Whoever asks for a long time is not waited for here.
    server.next(&[EmbeddingAnswer::Status(429, Some(900))]);
    match endpoint.embed(&texts(&["car"])).await {
        Err(EmbeddingError::Unavailable { status: 429, after }) => assert_eq!(after, MAX_RETRY_AFTER),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_not_waited_for() {
    let (mut endpoint, server) = endpoint(None).await;
    endpoint.config.timeout = Duration::from_millis(200);
    server.next(&[EmbeddingAnswer::Stall]);
    assert_eq!(code(&endpoint).await, "embeddings.timeout");
}

#[tokio::test]
async fn an_answer_that_is_wrong_is_not_taken() {
    let (endpoint, server) = endpoint(None).await;
    for (answer, expected) in [
        (EmbeddingAnswer::Status(401, None), "embeddings.refused"),
        (EmbeddingAnswer::Status(302, None), "embeddings.refused"),
        (EmbeddingAnswer::WrongCount, "embeddings.malformed"),
        (EmbeddingAnswer::NotFinite, "embeddings.malformed"),
        (EmbeddingAnswer::Rubbish, "embeddings.malformed"),
        (EmbeddingAnswer::Endless, "embeddings.too_large"),
    ] {
        server.next(std::slice::from_ref(&answer));
        assert_eq!(code(&endpoint).await, expected, "{answer:?}");
    }
    // Nothing of these has counted; from the first that is taken on, all have as many numbers.
    assert_eq!(endpoint.dimensions(), None);
    endpoint.embed(&texts(&["car"])).await.unwrap();
    server.set_dimensions(8);
    assert_eq!(code(&endpoint).await, "embeddings.dimensions");
    let error = EmbeddingError::Refused { status: 422 };
    assert!(error.is_of_a_text() && !EmbeddingError::Refused { status: 401 }.is_of_a_text());
    let unavailable = |status, seconds| EmbeddingError::Unavailable { status, after: Duration::from_secs(seconds) };
    for error in [error, unavailable(500, 0), EmbeddingError::Timeout(Duration::ZERO), EmbeddingError::Malformed("")] {
        assert!(error.may_be_of_a_text(), "{error}");
    }
    for error in [unavailable(429, 0), unavailable(503, 9), EmbeddingError::Unreachable] {
        assert!(!error.may_be_of_a_text() && !error.is_of_a_text(), "{error}");
    }
}

#[tokio::test]
async fn as_many_numbers_are_asked_for_as_are_set() {
    let (endpoint, server) = endpoint(Some(9)).await;
    assert_eq!(endpoint.dimensions(), Some(9));
    assert_eq!(code(&endpoint).await, "embeddings.dimensions");
    assert_eq!(server.asked()[0].dimensions, Some(9));
    server.set_dimensions(9);
    assert_eq!(endpoint.embed(&texts(&["car"])).await.unwrap()[0].len(), 9);
}

#[test]
fn settings_that_cannot_be_used_are_told_together() {
    let config = EmbeddingEndpointConfig {
        base_url: "ftp://models".into(),
        model: String::new(),
        key: Secret::new("sk-1"),
        dimensions: Some(0),
        timeout: Duration::from_secs(1),
    };
    let told = EmbeddingEndpoint::new(config).err().unwrap().to_string();
    assert!(["url", "model", "dimensions"].iter().all(|name| told.contains(name)), "{told}");
}

#[test]
fn a_url_with_something_behind_its_path_is_not_taken() {
    for base_url in ["http://models/v1?version=2", "http://models/v1?", "http://models/v1#embeddings"] {
        let config = EmbeddingEndpointConfig {
            base_url: base_url.into(),
            model: "m".into(),
            key: Secret::new(""),
            dimensions: None,
            timeout: Duration::from_secs(1),
        };
        let told = EmbeddingEndpoint::new(config).err().unwrap().to_string();
        assert!(told.contains("must have no query and no fragment") && !told.contains("version=2"), "{told}");
    }
}
