//! The payload of a Pix QR code ("copia e cola").
//!
//! Fields are tag, two digits of length, value; the last is a checksum (Banco Central do Brasil, Manual de Padrões para
//! Iniciação do Pix; EMV QRCPS-MPM). The key belongs to nobody.

/// The payload for an amount, with the intent as its reference.
pub(crate) fn payload(intent: &str, amount: i64) -> String {
    let reference: String = intent.chars().filter(char::is_ascii_alphanumeric).take(25).collect();
    let account = field("00", "br.gov.bcb.pix") + &field("01", "pix@comanda.example");
    let mut text = field("00", "01");
    text += &field("26", &account);
    text += &field("52", "0000");
    text += &field("53", "986");
    text += &field("54", &format!("{}.{:02}", amount / 100, amount % 100));
    text += &field("58", "BR");
    text += &field("59", "COMANDA SIMULADOR");
    text += &field("60", "PORTO ALEGRE");
    text += &field("62", &field("05", &reference));
    text += "6304";
    let sum = checksum(text.as_bytes());
    format!("{text}{sum:04X}")
}

fn field(tag: &str, value: &str) -> String {
    format!("{tag}{:02}{value}", value.len())
}

/// CRC-16 with polynomial 0x1021 and start 0xFFFF.
fn checksum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |sum, byte| {
        (0..8).fold(sum ^ (u16::from(*byte) << 8), |sum, _| {
            let shifted = sum << 1;
            if sum & 0x8000 == 0 { shifted } else { shifted ^ 0x1021 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_published_one() {
        assert_eq!(checksum(b"123456789"), 0x29B1);
        let text = payload("pi_0000000000001", 2590);
        assert!(text.starts_with("00020126"));
        assert!(text.contains("540525.90"));
        let (body, sum) = text.split_at(text.len() - 4);
        assert_eq!(sum, format!("{:04X}", checksum(body.as_bytes())));
    }
}
