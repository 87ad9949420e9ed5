//! Messages of a caller as bytes that are there before the clock runs.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use trunkline_proto::signature::{Algorithm, sign};
use url::form_urlencoded;

/// Characters of the Base64 of a frame.
pub(super) const PAYLOAD: usize = 216;
/// Characters at its beginning that say which frame it is: ten of the time, six of the number.
const STAMP: usize = 16;
/// What every message of a client is masked with. Not zero: some libraries take a short way then.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// The first sequence number: all have the same width, so that they can be written in place.
const FIRST_SEQUENCE: u32 = 100_000;
/// The longest head of an answer.
const MAX_HEAD: usize = 16 << 10;
/// The longest page of metrics.
const MAX_METRICS: u64 = 4 << 20;
const PATIENCE: Duration = Duration::from_secs(20);

/// Which frame an audio message carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Microseconds since the load began.
    pub(super) at_us: u64,
    /// Counts the frames of a call from 0.
    pub(super) number: u32,
}

impl Stamp {
    /// Four bits a character, in letters that no μ-law codec changes.
    fn write(self, out: &mut [u8]) {
        let bits = ((self.at_us & 0xff_ffff_ffff) << 24) | u64::from(self.number & 0x00ff_ffff);
        for (place, letter) in out.iter_mut().take(STAMP).enumerate() {
            let nibble = (bits >> (60 - 4 * place)) & 15;
            *letter = b'A' + u8::try_from(nibble).unwrap_or_default();
        }
    }

    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let bits = payload.get(..STAMP)?.iter().try_fold(0_u64, |bits, letter| {
            let nibble = letter.checked_sub(b'A').filter(|nibble| *nibble < 16)?;
            Some((bits << 4) | u64::from(nibble))
        })?;
        Some(Self { at_us: bits >> 24, number: u32::try_from(bits & 0x00ff_ffff).unwrap_or_default() })
    }
}

/// An audio message that is written again and again.
pub(super) struct Template {
    bytes: Vec<u8>,
    payload_at: usize,
    sequence_at: usize,
    chunk_at: usize,
    timestamp_at: usize,
    /// What the payload holds behind its stamp.
    rest: Vec<u8>,
}

impl Template {
    pub(super) fn new(stream: &str) -> Self {
        let mut payload: String = "fXt5d3V3eXt9".chars().cycle().take(PAYLOAD - 4).collect();
        payload.push_str("fQ==");
        // The payload is last, so that it is at the same place in what a bare echo sends back.
        let text = format!(
            "{{\"event\":\"media\",\"sequenceNumber\":\"000000\",\"streamSid\":\"{stream}\",\"media\":{{\
             \"track\":\"inbound\",\"chunk\":\"000000\",\"timestamp\":\"0000000\",\"payload\":\"{payload}\"}}}}"
        );
        let at = |mark: &str| text.find(mark).map_or(0, |at| at + mark.len());
        let (payload_at, sequence_at) = (at("\"payload\":\""), at("\"sequenceNumber\":\""));
        let (chunk_at, timestamp_at) = (at("\"chunk\":\""), at("\"timestamp\":\""));
        let rest = payload.as_bytes().get(STAMP..).unwrap_or_default().to_vec();
        Self { bytes: masked(text.as_bytes()), payload_at, sequence_at, chunk_at, timestamp_at, rest }
    }

    /// The message of one frame. Its payload is the stamp and filling, or else `audio` in Base64.
    pub(super) fn frame(&mut self, sequence: u32, stamp: Stamp, audio: Option<&[u8]>) -> &[u8] {
        let mut letters = [0; STAMP];
        if let Some(audio) = audio {
            self.put(self.payload_at, audio);
        } else {
            stamp.write(&mut letters);
            self.put(self.payload_at, &letters);
        }
        self.number(self.sequence_at, 6, FIRST_SEQUENCE + sequence);
        self.number(self.chunk_at, 6, FIRST_SEQUENCE + stamp.number);
        self.number(self.timestamp_at, 7, 1_000_000 + (stamp.number * 20) % 8_000_000);
        &self.bytes
    }

    /// Whether what came back is what was sent, apart from the stamp.
    pub(super) fn is_mine(&self, payload: &[u8]) -> bool {
        payload.get(STAMP..).is_some_and(|rest| rest == self.rest)
    }

    fn put(&mut self, at: usize, text: &[u8]) {
        // Behind the head of the frame and its mask.
        let out = self.bytes.iter_mut().skip(8 + at);
        for ((out, byte), key) in out.zip(text).zip(MASK.iter().cycle().skip(at % 4)) {
            *out = byte ^ key;
        }
    }

    fn number(&mut self, at: usize, digits: usize, mut number: u32) {
        let mut text = [b'0'; 8];
        for digit in text.iter_mut().take(digits).rev() {
            *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
            number /= 10;
        }
        self.put(at, text.get(..digits).unwrap_or_default());
    }
}

/// A text of a client as it goes over the wire.
pub(super) fn masked(text: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x81];
    match u16::try_from(text.len()) {
        Ok(length) if length < 126 => bytes.push(0x80 | u8::try_from(length).unwrap_or_default()),
        length => {
            bytes.push(0xfe);
            bytes.extend_from_slice(&length.unwrap_or_default().to_be_bytes());
        }
    }
    bytes.extend_from_slice(&MASK);
    bytes.extend(text.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// The mark that comes back.
pub(super) fn mark(stream: &str, sequence: u32, name: &str) -> Vec<u8> {
    let sequence = FIRST_SEQUENCE + sequence;
    masked(
        format!(
            "{{\"event\":\"mark\",\"sequenceNumber\":\"{sequence}\",\"streamSid\":\"{stream}\",\
             \"mark\":{{\"name\":\"{name}\"}}}}"
        )
        .as_bytes(),
    )
}

/// Reads the messages of a server: calls `take` with the text of each, and says how many bytes they were.
pub(super) fn messages(bytes: &[u8], mut take: impl FnMut(&[u8])) -> Result<usize, String> {
    let mut at = 0;
    loop {
        let Some(&[kind, short]) = bytes.get(at..at + 2) else { return Ok(at) };
        if kind == 0x88 {
            return Err("the server closed a socket".to_owned());
        }
        let (head, length) = if short < 126 {
            (2, usize::from(short))
        } else if let (126, Some(&[high, low])) = (short, bytes.get(at + 2..at + 4)) {
            (4, usize::from(u16::from_be_bytes([high, low])))
        } else if short == 126 {
            return Ok(at);
        } else {
            return Err("the server sent a message that is too long".to_owned());
        };
        let Some(text) = bytes.get(at + head..at + head + length) else { return Ok(at) };
        if kind == 0x81 {
            take(text);
        }
        at += head + length;
    }
}

/// The server under load.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) host: String,
    /// Of the account, to sign with; none where nobody asks for it.
    pub(super) credentials: Option<(String, String)>,
}

/// An open stream, as Twilio would open it.
pub(super) struct Opened {
    pub(super) socket: TcpStream,
    pub(super) stream: String,
}

impl Address {
    /// Announces a call, opens its socket and begins its stream.
    pub(super) fn open(&self, number: usize) -> Result<Opened, String> {
        let (call, stream) = (format!("CA{:032x}", rand::random::<u128>()), format!("MZ{number:032x}"));
        let (path, signature) = match &self.credentials {
            Some((account, token)) => self.announce(account, token, &call, number)?,
            None => ("/media".to_owned(), String::new()),
        };
        let mut socket = self.connect()?;
        let failed = |error: std::io::Error| format!("a socket was not opened: {error}");
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{signature}\r\n",
            self.host
        );
        socket.write_all(request.as_bytes()).map_err(failed)?;
        let head = head(&mut socket)?;
        if !head.starts_with("HTTP/1.1 101") {
            return Err(format!("a socket was refused: {}", head.lines().next().unwrap_or_default()));
        }
        let start = format!(
            "{{\"event\":\"start\",\"sequenceNumber\":\"{FIRST_SEQUENCE}\",\"start\":{{\"streamSid\":\"{stream}\",\
             \"accountSid\":\"AC00000000000000000000000000000001\",\"callSid\":\"{call}\",\"tracks\":[\"inbound\"],\
             \"mediaFormat\":{{\"encoding\":\"audio/x-mulaw\",\"sampleRate\":8000,\"channels\":1}},\
             \"customParameters\":{{}}}},\"streamSid\":\"{stream}\"}}"
        );
        let connected = b"{\"event\":\"connected\",\"protocol\":\"Call\",\"version\":\"1.0.0\"}";
        socket.write_all(&[masked(connected), masked(start.as_bytes())].concat()).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        Ok(Opened { socket, stream })
    }

    /// How many calls live by the server's own count.
    pub(super) fn live(&self) -> Result<u64, String> {
        let metrics = self.metrics()?;
        let lines = metrics
            .lines()
            .filter(|line| line.starts_with("trunkline_calls_live") || line.starts_with("twilio_session_active"));
        let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        values.max().ok_or_else(|| "the server has no gauge of live calls".to_owned())
    }

    /// What a counter of the server has come to, with this value of a label if there is one.
    pub(super) fn counter(&self, name: &str, label: &str) -> Result<u64, String> {
        let metrics = self.metrics()?;
        let line = metrics.lines().find(|line| line.starts_with(name) && line.contains(label));
        let value = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
        value.ok_or_else(|| format!("the server has no counter {name} {label}"))
    }

    fn metrics(&self) -> Result<String, String> {
        let mut socket = self.connect()?;
        let lost = |error: std::io::Error| format!("the server's metrics cannot be read: {error}");
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.host);
        socket.write_all(request.as_bytes()).map_err(lost)?;
        let mut answer = String::new();
        socket.take(MAX_METRICS).read_to_string(&mut answer).map_err(lost)?;
        Ok(answer)
    }

    /// The webhook of a call that comes in; what answers it names the path of the socket.
    fn announce(&self, account: &str, token: &str, call: &str, number: usize) -> Result<(String, String), String> {
        let path = "/webhooks/twilio/voice";
        let url = format!("http://{}{path}", self.host);
        let from = format!("+1555{:07}", number % 10_000_000);
        let params = [
            ("AccountSid", account),
            ("ApiVersion", "2010-04-01"),
            ("CallSid", call),
            ("CallStatus", "ringing"),
            ("Direction", "inbound"),
            ("From", &from),
            ("To", "+15557654321"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let signature = sign(Algorithm::HmacSha1, token.as_bytes(), &url, &params);
        let body: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(&params).finish();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nX-Twilio-Signature: {signature}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        );
        let mut socket = self.connect()?;
        let lost = |error: std::io::Error| format!("a call was not answered: {error}");
        socket.write_all(request.as_bytes()).map_err(lost)?;
        let mut answer = String::new();
        socket.take(MAX_HEAD as u64).read_to_string(&mut answer).map_err(lost)?;
        let path = answer.split_once("/media/").and_then(|(_, rest)| rest.split_once('"'));
        let Some((token_of_call, _)) = path else {
            return Err(format!("a call was refused: {}", answer.lines().next().unwrap_or_default()));
        };
        let path = format!("/media/{token_of_call}");
        let signature = sign(Algorithm::HmacSha1, token.as_bytes(), &format!("ws://{}{path}", self.host), &[]);
        Ok((path, format!("X-Twilio-Signature: {signature}\r\n")))
    }

    fn connect(&self) -> Result<TcpStream, String> {
        let failed = |error: std::io::Error| format!("no connection to the server: {error}");
        let socket = TcpStream::connect(&self.host).map_err(failed)?;
        socket.set_nodelay(true).map_err(failed)?;
        socket.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        Ok(socket)
    }
}

/// Reads the head of an answer, and nothing behind it.
fn head(socket: &mut TcpStream) -> Result<String, String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        let read = socket.read(&mut byte).map_err(|error| format!("no answer to an upgrade: {error}"))?;
        if read == 0 || head.len() > MAX_HEAD {
            return Err("no answer to an upgrade".to_owned());
        }
        head.extend_from_slice(&byte);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

#[cfg(test)]
mod tests {
    use trunkline_audio::g711;
    use trunkline_proto::media::{Event, Limits, ServerSession};

    use super::*;

    fn unmasked(bytes: &[u8]) -> String {
        let text = bytes[8..].iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key);
        String::from_utf8(text.collect()).unwrap()
    }

    #[test]
    fn a_frame_is_read_by_the_server_and_survives_its_codec() {
        let mut session = ServerSession::new(Limits::default());
        let start = "{\"event\":\"start\",\"sequenceNumber\":\"100000\",\"start\":{\"streamSid\":\"MZ1\",\
                     \"accountSid\":\"AC1\",\"callSid\":\"CA1\",\"mediaFormat\":{\"encoding\":\"audio/x-mulaw\",\
                     \"sampleRate\":8000,\"channels\":1}},\"streamSid\":\"MZ1\"}";
        session.text(start).unwrap();
        let mut template = Template::new("MZ1");
        for number in [0, 1, 77_777] {
            let stamp = Stamp { at_us: 0x12_3456_789a, number };
            let text = unmasked(template.frame(1 + number, stamp, None));
            let Event::Media(media) = session.text(&text).unwrap() else { panic!("{text}") };
            let mut frame = [0; 160];
            assert_eq!(media.payload.decode_into(&mut frame), Ok(160));
            let mut linear = [0; 160];
            g711::decode_into(&frame, &mut linear);
            let mut again = [0; 160];
            g711::encode_into(&linear, &mut again);
            let mut out = Vec::new();
            assert!(session.write_media(&again, &mut out));
            let payload = &out[out.len() - 3 - PAYLOAD..out.len() - 3];
            assert_eq!(Stamp::read(payload), Some(stamp));
            assert!(template.is_mine(payload));
        }
    }

    #[test]
    fn messages_are_told_apart_wherever_they_are_cut() {
        let bytes = [b"\x81\x02ab".as_slice(), b"\x89\x00", b"\x81\x7e\x00\x80", &[b'c'; 128]].concat();
        for cut in 0..=bytes.len() {
            let mut texts = Vec::new();
            let used = messages(&bytes[..cut], |text| texts.push(text.len())).unwrap();
            assert!(used <= cut);
            messages(&bytes[used..], |text| texts.push(text.len())).unwrap();
            assert_eq!(texts, [2, 128], "{cut}");
        }
    }
}
