//! G.711 μ-law, by tables.
//!
//! Samples are the standard's 14-bit values times four, which is what everybody means by 16-bit PCM. Both zeros
//! (0xFF and 0x7F) decode to 0; 0 encodes to 0xFF.
//!
//! Source: ITU-T G.711 (11/88), tables 2a and 2b.

/// Positive zero: the byte of silence.
pub const SILENCE: u8 = 0xFF;

/// The sample of one code.
pub const fn decode(code: u8) -> i16 {
    expand(code)
}

/// The code between whose decision values the sample lies: the nearest, but for a little at the ends of segments. Loud
/// samples clip at ±32124.
pub fn encode(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x00 } else { 0x80 };
    // Decision values are multiples of four, so the two lowest bits of the magnitude never decide.
    let step = usize::from(sample.unsigned_abs() >> 2).min(MAGNITUDES - 1);
    sign | COMPRESSED.get(step).copied().unwrap_or_default()
}

/// Decodes as many codes as fit, and says how many.
pub fn decode_into(codes: &[u8], samples: &mut [i16]) -> usize {
    for (sample, code) in samples.iter_mut().zip(codes) {
        *sample = EXPANDED.get(usize::from(*code)).copied().unwrap_or_default();
    }
    codes.len().min(samples.len())
}

/// Encodes as many samples as fit, and says how many.
pub fn encode_into(samples: &[i16], codes: &mut [u8]) -> usize {
    for (code, sample) in codes.iter_mut().zip(samples) {
        *code = encode(*sample);
    }
    samples.len().min(codes.len())
}

/// Added to a magnitude so that each segment begins at a power of two.
const BIAS: u16 = 33 << 2;
/// Magnitudes of 16-bit samples, in steps of four.
const MAGNITUDES: usize = 8192;
/// From here on everything has the loudest code.
const CLIP: u16 = 8158 << 2;

static EXPANDED: [i16; 256] = expanded();
static COMPRESSED: [u8; MAGNITUDES] = compressed();

#[expect(clippy::cast_possible_wrap, reason = "the largest magnitude is 32124")]
const fn expand(code: u8) -> i16 {
    let bits = !code;
    let mantissa = ((bits & 0x0F) as u16) << 3;
    let magnitude = ((mantissa + BIAS) << ((bits & 0x70) >> 4)) - BIAS;
    if bits & 0x80 == 0 { magnitude as i16 } else { -(magnitude as i16) }
}

#[expect(clippy::indexing_slicing, reason = "runs in the compiler")]
#[expect(clippy::cast_possible_truncation, reason = "256 codes")]
const fn expanded() -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < table.len() {
        table[code] = expand(code as u8);
        code += 1;
    }
    table
}

/// The lower seven bits by magnitude, inverted as on the wire.
#[expect(clippy::indexing_slicing, reason = "runs in the compiler")]
#[expect(clippy::cast_possible_truncation, reason = "segment and mantissa have seven bits")]
const fn compressed() -> [u8; MAGNITUDES] {
    let mut table = [0; MAGNITUDES];
    let mut step = 0;
    while step < MAGNITUDES {
        let magnitude = (step as u16) << 2;
        let biased = if magnitude > CLIP { CLIP } else { magnitude } + BIAS;
        let segment = biased.ilog2() - 7;
        let mantissa = (biased >> (segment + 3)) & 0x0F;
        table[step] = !((segment as u8) << 4 | mantissa as u8) & 0x7F;
        step += 1;
    }
    table
}

#[cfg(test)]
mod tests;
