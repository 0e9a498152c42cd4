// msrp/body_scan.cc - the end-line search: CR LF '-' by vectors, then the rest byte by byte (RFC 4975 section 7.1).
//
// The end-line holds CR in two places only: at its start and before its last LF. So when a candidate fails, nothing
// inside it can be the start of another one (a CR at its end was not followed by LF, or it would not have failed), and
// the search goes on at the byte that failed.
#include "msrp/body_scan.h"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace parley::msrp {
namespace {

constexpr std::string_view hyphens = "\r\n-------";

constexpr std::size_t after_tid = 3;  // flag CR LF

bool is_flag(char c) { return c == '+' || c == '$' || c == '#'; }

// What a CR in the last two bytes of a search means: it may be the start of a CR LF '-' that goes on behind them.
std::size_t find_tail(std::string_view bytes, std::size_t from) {
  for (std::size_t i = from; i < bytes.size(); ++i) {
    if (bytes[i] != '\r') continue;
    if (i + 1 < bytes.size() && bytes[i + 1] != '\n') continue;
    if (i + 2 < bytes.size() && bytes[i + 2] != '-') continue;
    return i;
  }
  return bytes.size();
}

#if defined(__x86_64__)
constexpr std::size_t last_bytes = 2;  // behind a position: its LF and '-'

__attribute__((target("avx2"))) inline __m256i crlf_dash_at(const char* p) {
  const __m256i cr = _mm256_cmpeq_epi8(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)), _mm256_set1_epi8('\r'));
  const __m256i lf =
      _mm256_cmpeq_epi8(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 1)), _mm256_set1_epi8('\n'));
  const __m256i dash =
      _mm256_cmpeq_epi8(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 2)), _mm256_set1_epi8('-'));
  return _mm256_and_si256(_mm256_and_si256(cr, lf), dash);
}

__attribute__((target("avx2"))) std::size_t find_avx2(std::string_view bytes, std::size_t from) {
  constexpr std::size_t width = 32;
  constexpr std::size_t stride = 4 * width;
  const char* const data = bytes.data();
  std::size_t at = from;
  for (; at + stride + last_bytes <= bytes.size(); at += stride) {
    const __m256i a = crlf_dash_at(data + at);
    const __m256i b = crlf_dash_at(data + at + width);
    const __m256i c = crlf_dash_at(data + at + 2 * width);
    const __m256i d = crlf_dash_at(data + at + 3 * width);
    const __m256i any = _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d));
    if (_mm256_testz_si256(any, any) == 0) break;  // the loop below says where
  }
  for (; at + width + last_bytes <= bytes.size(); at += width) {
    const auto mask = static_cast<unsigned>(_mm256_movemask_epi8(crlf_dash_at(data + at)));
    if (mask != 0) return at + static_cast<std::size_t>(__builtin_ctz(mask));
  }
  return find_tail(bytes, at);
}

std::size_t find_sse2(std::string_view bytes, std::size_t from) {
  constexpr std::size_t width = 16;
  const auto load = [](const char* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); };
  const char* const data = bytes.data();
  std::size_t at = from;
  for (; at + width + last_bytes <= bytes.size(); at += width) {
    const __m128i cr = _mm_cmpeq_epi8(load(data + at), _mm_set1_epi8('\r'));
    const __m128i lf = _mm_cmpeq_epi8(load(data + at + 1), _mm_set1_epi8('\n'));
    const __m128i dash = _mm_cmpeq_epi8(load(data + at + 2), _mm_set1_epi8('-'));
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(_mm_and_si128(_mm_and_si128(cr, lf), dash)));
    if (mask != 0) return at + static_cast<std::size_t>(__builtin_ctz(mask));
  }
  return find_tail(bytes, at);
}
#endif

using Find = std::size_t (*)(std::string_view, std::size_t);

Find best_find() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") ? find_avx2 : find_sse2;
#else
  return find_crlf_dash_scalar;
#endif
}

const Find find = best_find();

}  // namespace

std::size_t find_crlf_dash(std::string_view bytes, std::size_t from) { return find(bytes, from); }

std::size_t find_crlf_dash_scalar(std::string_view bytes, std::size_t from) { return find_tail(bytes, from); }

std::size_t find_crlf_dash_sse2(std::string_view bytes, std::size_t from) {
#if defined(__x86_64__)
  return find_sse2(bytes, from);
#else
  return find_tail(bytes, from);
#endif
}

void BodyScan::start(std::string_view tid) {
  std::memcpy(pattern_.data(), hyphens.data(), hyphens.size());
  std::memcpy(pattern_.data() + hyphens.size(), tid.data(), tid.size());
  pattern_size_ = static_cast<std::uint8_t>(hyphens.size() + tid.size());
  held_ = 0;
  held_flag_ = 0;
}

// Whether `c` continues an end-line of which `held_` bytes are matched.
bool BodyScan::fits(char c) const {
  if (held_ < pattern_size_) return c == pattern_[held_];
  if (held_ == pattern_size_) return is_flag(c);
  return c == (held_ == pattern_size_ + 1 ? '\r' : '\n');
}

// Takes bytes of the end-line from `piece` at `at`, as far as they match; `held_` says how much is matched in all.
std::size_t BodyScan::match(std::string_view piece, std::size_t at) {
  const std::size_t whole = std::size_t{pattern_size_} + after_tid;
  // The usual case at once; bench/parse: 157 -> 130 ns for a 1 KiB SEND with known paths.
  if (held_ == 0 && piece.size() - at >= pattern_size_ &&
      std::memcmp(piece.data() + at, pattern_.data(), pattern_size_) == 0) {
    at += pattern_size_;
    held_ = pattern_size_;
    if (piece.size() - at >= after_tid && is_flag(piece[at]) && piece[at + 1] == '\r' && piece[at + 2] == '\n') {
      held_flag_ = piece[at];
      held_ = static_cast<std::uint8_t>(whole);
      return at + after_tid;
    }
  }
  for (; at < piece.size() && held_ < whole && fits(piece[at]); ++at, ++held_) {
    if (held_ == pattern_size_) held_flag_ = piece[at];
  }
  return at;
}

BodyScan::Result BodyScan::feed(std::string_view piece) {
  const std::size_t whole = std::size_t{pattern_size_} + after_tid;
  Result result;
  std::size_t start = 0;  // of the candidate in this piece
  std::size_t at = 0;
  bool held_before = held_ != 0;
  if (!held_before) start = at = find_crlf_dash(piece, 0);
  while (at < piece.size()) {
    const std::uint8_t held_earlier = held_before ? held_ : std::uint8_t{0};
    at = match(piece, at);
    if (held_ == whole) {
      result.ended = true;
      result.flag = static_cast<Flag>(held_flag_);
      held_ = 0;
      break;
    }
    if (at == piece.size()) break;  // a prefix of the end-line: held back
    if (held_earlier != 0) {
      std::memcpy(released_.data(), pattern_.data(), pattern_size_);
      released_[pattern_size_] = held_flag_;
      released_[std::size_t{pattern_size_} + 1] = '\r';
      result.released = held_earlier;
    }
    held_ = 0;
    held_before = false;
    start = at = find_crlf_dash(piece, at);
  }
  result.body = static_cast<std::uint32_t>(start);
  result.consumed = static_cast<std::uint32_t>(at);
  return result;
}

}  // namespace parley::msrp
