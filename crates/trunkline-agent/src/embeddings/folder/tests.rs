use std::fs;

use candle_nn::VarMap;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

const WORDS: &[&str] =
    &["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "car", "tea", "is", "red", "green", "auto", "##mobile", "##s"];

fn config() -> Value {
    json!({
        "model_type": "bert", "vocab_size": WORDS.len(), "hidden_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 4, "intermediate_size": 64, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
        "max_position_embeddings": 16, "type_vocab_size": 2, "initializer_range": 0.02, "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
    })
}

fn tokenizer() -> Value {
    let vocabulary: serde_json::Map<_, _> =
        WORDS.iter().enumerate().map(|(place, word)| ((*word).to_owned(), place.into())).collect();
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "decoder": null,
        "normalizer": {
            "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
            "lowercase": true,
        },
        "pre_tokenizer": { "type": "BertPreTokenizer" },
        "post_processor": { "type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2] },
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocabulary,
        },
    })
}

/// A model that knows nothing: its numbers are drawn at random. It is as large as it must be to be one.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let weights = VarMap::new();
    let builder = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
    BertModel::load(builder, &serde_json::from_value(config()).unwrap()).unwrap();
    weights.save(folder.path().join("model.safetensors")).unwrap();
    fs::write(folder.path().join("config.json"), config().to_string()).unwrap();
    fs::write(folder.path().join("tokenizer.json"), tokenizer().to_string()).unwrap();
    folder
}

fn told(folder: &TempDir) -> String {
    EmbeddingFolder::open(folder.path()).err().unwrap().to_string()
}

#[tokio::test]
async fn a_folder_makes_vectors_of_length_one_that_are_the_same_for_the_same_text() {
    let folder = folder();
    let model = EmbeddingFolder::open(folder.path()).unwrap();
    assert_eq!(model.dimensions(), Some(32));
    let long = "the red car ".repeat(1_000);
    let texts =
        ["The car is red", "tea", "the automobiles", "THE CAR IS RED", "", &long].map(|text| Pii::new(text.into()));
    let vectors = model.embed(&texts).await.unwrap();
    assert_eq!(vectors.len(), texts.len());
    for vector in &vectors {
        let length: f32 = vector.iter().map(|number| number * number).sum();
        assert!(vector.len() == 32 && (length - 1.0).abs() < 1e-3, "{length}");
    }
    assert!(vectors[0] == vectors[3] && vectors[0] != vectors[1] && vectors[1] != vectors[2]);

    // The same files are the same model; other numbers are another one.
    let again = EmbeddingFolder::open(folder.path()).unwrap();
    assert_eq!((again.model(), &again.embed(&texts).await.unwrap()), (model.model(), &vectors));
    assert_ne!(EmbeddingFolder::open(self::folder().path()).unwrap().model(), model.model());

    // Where the first token counts, the vector is another.
    fs::create_dir(folder.path().join("1_Pooling")).unwrap();
    let pooling = json!({ "pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false });
    fs::write(folder.path().join(POOLING), pooling.to_string()).unwrap();
    let first = EmbeddingFolder::open(folder.path()).unwrap();
    assert_ne!(first.embed(&texts).await.unwrap()[0], vectors[0]);
}

#[test]
fn a_folder_that_is_no_such_model_is_refused_by_its_file() {
    assert!(told(&tempfile::tempdir().unwrap()).contains("config.json cannot be read"));
    for (name, content, expected) in [
        ("config.json", "{}", "config.json is not that"),
        ("config.json", r#"{"model_type":"llama"}"#, "config.json is not that"),
        ("tokenizer.json", "{}", "tokenizer.json is no tokenizer"),
        ("model.safetensors", "tensors", "model.safetensors does not fit"),
    ] {
        let folder = folder();
        fs::write(folder.path().join(name), content).unwrap();
        let told = told(&folder);
        assert!(told.contains(expected), "{told}");
    }
    let folder = folder();
    fs::create_dir(folder.path().join("1_Pooling")).unwrap();
    fs::write(folder.path().join(POOLING), r#"{"pooling_mode_max_tokens":true}"#).unwrap();
    assert!(told(&folder).contains("1_Pooling/config.json must name"));
}
