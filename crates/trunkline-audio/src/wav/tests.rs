//! Files of a library that is not ours are read, and it reads ours.

#![expect(clippy::cast_possible_truncation, reason = "samples of known size")]

use std::io::Cursor;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use proptest::prelude::*;

use super::{DualWriter, MAX_SECONDS, WavError, read};

fn file(spec: WavSpec, samples: &[f64]) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut bytes, spec).unwrap();
    for sample in samples.iter().flat_map(|one| std::iter::repeat_n(one, usize::from(spec.channels))) {
        match spec.sample_format {
            SampleFormat::Float => writer.write_sample(*sample as f32).unwrap(),
            SampleFormat::Int => {
                let full = f64::from(2_u32.pow(u32::from(spec.bits_per_sample) - 1));
                writer.write_sample((sample * full) as i32).unwrap();
            }
        }
    }
    writer.finalize().unwrap();
    bytes.into_inner()
}

fn spec(channels: u16, sample_rate: u32, bits: u16, sample_format: SampleFormat) -> WavSpec {
    WavSpec { channels, sample_rate, bits_per_sample: bits, sample_format }
}

#[test]
fn every_width_rate_and_number_of_channels_is_read() {
    for (bits, sample_format) in [
        (8, SampleFormat::Int),
        (16, SampleFormat::Int),
        (24, SampleFormat::Int),
        (32, SampleFormat::Int),
        (32, SampleFormat::Float),
    ] {
        for channels in [1, 2] {
            for rate in [8000, 16000, 22050, 44100, 48000] {
                let tone = |rate: u32| {
                    move |at: u32| 0.5 * (std::f64::consts::TAU * 500.0 * f64::from(at) / f64::from(rate)).sin()
                };
                let samples: Vec<f64> = (0..rate / 5).map(tone(rate)).collect();
                let heard = read(&file(spec(channels, rate, bits, sample_format), &samples)).unwrap();
                assert_eq!(heard.len(), 1600, "{bits} bits, {channels} channels, {rate} Hz");
                for at in 200..1400 {
                    let off = (f64::from(heard[at as usize]) - 32768.0 * tone(8000)(at)).abs();
                    // A resampled tone is up to half a sample out of place.
                    assert!(
                        off < if rate == 8000 { 300.0 } else { 3600.0 },
                        "{bits} bits, {channels} channels, {rate} Hz: off by {off}"
                    );
                }
            }
        }
    }
}

/// A file by hand: format, channels, rate, bits, length of the data as the header has it, data.
fn by_hand(format: u16, channels: u16, rate: u32, bits: u16, length: u32, data: &[u8]) -> Vec<u8> {
    let mut file = b"RIFF\xFF\xFF\xFF\xFFWAVELIST\x03\0\0\0abc\0fmt \x12\0\0\0".to_vec();
    file.extend(format.to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend([0; 6]);
    file.extend(bits.to_le_bytes());
    file.extend([0; 2]);
    file.extend(b"data");
    file.extend(length.to_le_bytes());
    file.extend(data);
    file
}

#[test]
fn telephone_files_and_lengths_that_nobody_put_right_are_read() {
    assert_eq!(read(&by_hand(7, 1, 8000, 8, 3, &[0xFF, 0x80, 0x00])).unwrap(), [0, 32124, -32124]);
    assert_eq!(read(&by_hand(1, 1, 8000, 16, u32::MAX, &[1, 0, 2, 0, 9])).unwrap(), [1, 2]);
    assert_eq!(read(&by_hand(1, 2, 8000, 16, 8, &[2, 0, 4, 0, 0xFE, 0xFF, 2, 0])).unwrap(), [3, 0]);
    assert_eq!(read(&by_hand(1, 1, 8000, 16, 0, &[])).unwrap(), [0_i16; 0]);
}

#[test]
fn what_cannot_be_used_is_refused_with_the_reason() {
    let check = |file: &[u8], expected: WavError| {
        let error = read(file).unwrap_err();
        assert_eq!(error, expected);
        assert!(error.code().starts_with("audio.wav."));
    };
    check(b"", WavError::NotWav);
    check(b"RIFF\0\0\0\0AVI fmt ", WavError::NotWav);
    check(b"RIFF\0\0\0\0WAVE", WavError::Incomplete("fmt "));
    check(b"RIFF\0\0\0\0WAVEfmt \x04\0\0\0\x01\0\x01\0", WavError::Incomplete("fmt "));
    check(b"RIFF\0\0\0\0WAVEdata\x04\0\0\0\x01\0\x01\0", WavError::Incomplete("fmt "));
    check(&by_hand(1, 1, 8000, 16, 0, &[])[..50], WavError::Incomplete("data"));
    check(&by_hand(2, 1, 8000, 4, 0, &[]), WavError::Format { format: 2, bits: 4 });
    check(&by_hand(1, 6, 8000, 16, 0, &[]), WavError::Channels(6));
    check(&by_hand(1, 1, 0, 16, 0, &[]), WavError::Rate(0));
    let samples = usize::try_from(MAX_SECONDS).unwrap() * 8000 + 1;
    check(&by_hand(7, 1, 8000, 8, u32::MAX, &vec![0xFF; samples]), WavError::TooLong);
    check(&vec![0; super::MAX_BYTES + 1], WavError::TooLarge);
}

#[test]
fn a_recording_has_both_sides_and_plays_whenever_its_writer_dies() {
    let mut file = Cursor::new(Vec::new());
    {
        let mut writer = DualWriter::new(&mut file).unwrap();
        for at in 0..250_i16 {
            writer.write(&[at; 160], &[-at; 100]).unwrap();
        }
        assert_eq!(writer.duration_ms(), 5000);
    }
    // The writer is gone; its last fix-up was at four seconds.
    let killed = WavReader::new(Cursor::new(file.into_inner())).unwrap();
    assert_eq!(killed.duration(), 32_000);

    let mut writer = DualWriter::new(Cursor::new(Vec::new())).unwrap();
    writer.write(&[1, 2, 3], &[4]).unwrap();
    writer.write(&[], &[5, 6]).unwrap();
    writer.write(&[], &[]).unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    let mut reader = WavReader::new(Cursor::new(bytes)).unwrap();
    assert_eq!(reader.spec(), spec(2, 8000, 16, SampleFormat::Int));
    let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
    assert_eq!(samples, [1, 4, 2, 0, 3, 0, 0, 5, 0, 6]);
}

proptest! {
    #[test]
    fn no_file_breaks_the_reader(
        bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 0_usize..80,
        format in prop::sample::select(vec![1, 3, 7, 0xFFFE]), bits in prop::sample::select(vec![8, 16, 24, 32]),
        rate in 0_u32..60_000,
    ) {
        let _anything = read(&bytes);
        let file = by_hand(format, 1 + u16::from(bytes.len() % 2 == 0), rate, bits, 250, &bytes);
        let _anything = read(&file[..file.len() - cut.min(file.len())]);
    }
}
