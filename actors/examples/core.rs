use std::time::Instant;
fn main() {
    let n = 20000u64;
    let t = Instant::now();
    for i in 0..n {
        std::hint::black_box(actors::call::number::to_e164(
            &format!("37529{:07}", 1000000 + i),
            "BY",
        ));
    }
    println!("e164 {:?}", t.elapsed() / n as u32);
    let t = Instant::now();
    for i in 0..n {
        std::hint::black_box(actors::call::number::to_e164(
            &format!("+37529{:07}", 1000000 + i),
            "BY",
        ));
    }
    println!("e164+ {:?}", t.elapsed() / n as u32);
}
