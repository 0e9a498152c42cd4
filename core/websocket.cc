// core/websocket.cc - see websocket.h.
#include "core/websocket.h"

#include <algorithm>
#include <cstring>

namespace parley::core {
namespace {

using Kind = WebSocketEvent::Kind;

constexpr std::uint8_t fin_bit = 0x80;
constexpr std::uint8_t reserved_bits = 0x70;
constexpr std::uint8_t opcode_bits = 0x0f;
constexpr std::uint8_t mask_bit = 0x80;
constexpr std::uint8_t length_bits = 0x7f;
constexpr std::uint8_t length_in_2_bytes = 126;
constexpr std::uint8_t length_in_8_bytes = 127;
constexpr std::size_t mask_bytes = 4;

bool is_control(WebSocketOpcode opcode) { return (static_cast<std::uint8_t>(opcode) & 0x8) != 0; }

std::uint64_t big_endian(std::span<const std::uint8_t> bytes) {
  std::uint64_t value = 0;
  for (const std::uint8_t byte : bytes) value = value << 8 | byte;
  return value;
}

std::size_t extended_length_bytes(std::uint8_t length) {
  if (length == length_in_2_bytes) return 2;
  return length == length_in_8_bytes ? 8 : 0;
}

// Puts the mask's first byte where the next payload byte needs it, after `bytes` of it were unmasked.
void turn(WebSocketMask& mask, std::size_t bytes) {
  std::rotate(mask.begin(), mask.begin() + static_cast<std::ptrdiff_t>(bytes % mask_bytes), mask.end());
}

void unmask(std::span<char> bytes, const WebSocketMask& mask) {
  std::uint64_t wide;
  std::memcpy(&wide, mask.data(), mask_bytes);
  std::memcpy(reinterpret_cast<char*>(&wide) + mask_bytes, mask.data(), mask_bytes);
  char* p = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= sizeof wide; p += sizeof wide, left -= sizeof wide) {
    std::uint64_t eight;
    std::memcpy(&eight, p, sizeof eight);
    eight ^= wide;
    std::memcpy(p, &eight, sizeof eight);
  }
  for (std::size_t i = 0; i < left; ++i) p[i] = static_cast<char>(p[i] ^ static_cast<char>(mask[i % mask_bytes]));
}

// At most `bytes_max` bytes of it, without half a character at the end.
std::string_view cut_between_characters(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

}  // namespace

bool is_close_code(std::uint16_t code) {
  // 1004 is reserved; 1005, 1006 and 1015 stand for what was not on the wire.
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

std::string_view to_string(WebSocketFault fault) {
  switch (fault) {
    case WebSocketFault::none: return "none";
    case WebSocketFault::reserved_bits: return "reserved bits";
    case WebSocketFault::opcode: return "unknown opcode";
    case WebSocketFault::mask: return "masking";
    case WebSocketFault::length_form: return "length not in its shortest form";
    case WebSocketFault::control_length: return "control frame too long";
    case WebSocketFault::control_fragmented: return "fragmented control frame";
    case WebSocketFault::lone_continuation: return "nothing to continue";
    case WebSocketFault::message_within: return "message within a message";
    case WebSocketFault::close_payload: return "bad close payload";
    case WebSocketFault::utf8: return "not UTF-8";
    case WebSocketFault::message_bytes: return "message too long";
    case WebSocketFault::frames: return "too many frames in a message";
  }
  return "?";
}

std::uint16_t close_code(WebSocketFault fault) {
  switch (fault) {
    case WebSocketFault::none: return websocket_code::normal;
    case WebSocketFault::utf8: return websocket_code::bad_text;
    case WebSocketFault::message_bytes:
    case WebSocketFault::frames: return websocket_code::too_big;
    default: return websocket_code::protocol_error;
  }
}

// ---- in

WebSocketEvent WebSocketReader::read(std::span<char>& rest) {
  for (;;) {
    if (state_ == State::over) {
      rest = rest.last(0);
      return {};
    }
    // A control frame or the end of a message may be complete without a byte of payload.
    const bool payload_is_empty = state_ != State::header && frame_left_ == 0;
    if (rest.empty() && !payload_is_empty) return {};
    switch (state_) {
      case State::header: {
        const auto byte = static_cast<std::uint8_t>(rest.front());
        rest = rest.subspan(1);
        if (const WebSocketFault fault = take_header_byte(byte); fault != WebSocketFault::none) return fail(fault);
        break;
      }
      case State::data: {
        const WebSocketEvent event = take_data(rest);
        if (event.kind != Kind::none) return event;
        break;
      }
      case State::control: {
        const WebSocketEvent event = take_control(rest);
        if (event.kind != Kind::none) return event;
        break;
      }
      case State::over: break;
    }
  }
}

// Each byte is judged when it comes, so that a peer in error learns it without sending more.
WebSocketFault WebSocketReader::take_header_byte(std::uint8_t byte) {
  header_[header_size_++] = byte;
  if (header_size_ == 1) {
    header_need_ = 2;
    return check_opcode(byte);
  }
  if (header_size_ == 2) {
    if (const WebSocketFault fault = check_length_byte(byte); fault != WebSocketFault::none) return fault;
    header_need_ =
        static_cast<std::uint8_t>(2 + extended_length_bytes(byte & length_bits) + (masked() ? mask_bytes : 0));
  }
  return header_size_ == header_need_ ? begin_frame() : WebSocketFault::none;
}

WebSocketFault WebSocketReader::check_opcode(std::uint8_t byte) const {
  if ((byte & reserved_bits) != 0) return WebSocketFault::reserved_bits;  // RFC 6455 5.2: no extension was agreed on
  switch (static_cast<WebSocketOpcode>(byte & opcode_bits)) {
    case WebSocketOpcode::continuation:
      return message_open_ ? WebSocketFault::none : WebSocketFault::lone_continuation;  // 5.4
    case WebSocketOpcode::text:
    case WebSocketOpcode::binary: return message_open_ ? WebSocketFault::message_within : WebSocketFault::none;  // 5.4
    case WebSocketOpcode::close:
    case WebSocketOpcode::ping:
    case WebSocketOpcode::pong:
      return (byte & fin_bit) != 0 ? WebSocketFault::none : WebSocketFault::control_fragmented;  // 5.5
  }
  return WebSocketFault::opcode;
}

WebSocketFault WebSocketReader::check_length_byte(std::uint8_t byte) {
  if (((byte & mask_bit) != 0) != masked()) return WebSocketFault::mask;  // 5.1
  const bool control = is_control(static_cast<WebSocketOpcode>(header_[0] & opcode_bits));
  if (control && (byte & length_bits) > websocket_control_bytes_max) return WebSocketFault::control_length;  // 5.5
  return WebSocketFault::none;
}

WebSocketFault WebSocketReader::begin_frame() {
  const std::uint8_t short_length = header_[1] & length_bits;
  const std::size_t extended = extended_length_bytes(short_length);
  const std::uint64_t length = extended == 0 ? short_length : big_endian(std::span(header_).subspan(2, extended));
  if (extended == 2 && length <= websocket_control_bytes_max) return WebSocketFault::length_form;  // 5.2
  if (extended == 8 && (length <= 0xffff || length >> 63 != 0)) return WebSocketFault::length_form;
  opcode_ = static_cast<WebSocketOpcode>(header_[0] & opcode_bits);
  fin_ = (header_[0] & fin_bit) != 0;
  frame_left_ = length;
  if (masked()) std::copy_n(header_.begin() + static_cast<std::ptrdiff_t>(2 + extended), mask_bytes, mask_.begin());
  header_size_ = 0;
  if (is_control(opcode_)) {
    control_size_ = 0;
    state_ = State::control;
    return WebSocketFault::none;
  }
  if (opcode_ != WebSocketOpcode::continuation) {
    message_open_ = true;
    text_ = opcode_ == WebSocketOpcode::text;
    frames_ = 0;
    message_bytes_ = 0;
    utf8_.reset();
  }
  if (length < config_.small_frame_bytes && ++frames_ > config_.frames_max) return WebSocketFault::frames;
  if (length > config_.message_bytes_max - message_bytes_) return WebSocketFault::message_bytes;
  message_bytes_ += length;
  state_ = State::data;
  return WebSocketFault::none;
}

// The payload bytes of this frame that are there, unmasked where they lie and taken from `rest`.
std::span<char> WebSocketReader::unmasked(std::span<char>& rest) {
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(frame_left_, rest.size()));
  const std::span<char> taken = rest.first(size);
  rest = rest.subspan(size);
  frame_left_ -= size;
  if (masked()) {
    unmask(taken, mask_);
    turn(mask_, size);
  }
  return taken;
}

WebSocketEvent WebSocketReader::take_data(std::span<char>& rest) {
  const std::span<char> taken = unmasked(rest);
  const std::string_view bytes(taken.data(), taken.size());
  if (text_ && config_.check_utf8 && !utf8_.take(bytes)) return fail(WebSocketFault::utf8);
  bool ends_message = false;
  if (frame_left_ == 0) {
    state_ = State::header;
    ends_message = fin_;
    message_open_ = !fin_;
    if (fin_ && text_ && config_.check_utf8 && !utf8_.whole()) return fail(WebSocketFault::utf8);
  }
  if (bytes.empty() && !ends_message) return {};  // an empty frame that says nothing
  return {.kind = Kind::data, .text = text_, .ends_message = ends_message, .bytes = bytes};
}

WebSocketEvent WebSocketReader::take_control(std::span<char>& rest) {
  const std::span<char> taken = unmasked(rest);
  std::copy(taken.begin(), taken.end(), control_.begin() + control_size_);
  control_size_ = static_cast<std::uint8_t>(control_size_ + taken.size());
  if (frame_left_ != 0) return {};
  state_ = State::header;
  return end_control();
}

WebSocketEvent WebSocketReader::end_control() {
  const std::string_view payload(control_.data(), control_size_);
  if (opcode_ == WebSocketOpcode::ping) return {.kind = Kind::ping, .bytes = payload};
  if (opcode_ == WebSocketOpcode::pong) return {.kind = Kind::pong, .bytes = payload};
  WebSocketEvent event{.kind = Kind::close, .code = websocket_code::none_given};
  if (payload.size() == 1) return fail(WebSocketFault::close_payload);  // RFC 6455 5.5.1
  if (payload.size() >= 2) {
    event.code = static_cast<std::uint16_t>(static_cast<unsigned char>(payload[0]) << 8 |
                                            static_cast<unsigned char>(payload[1]));
    event.bytes = payload.substr(2);
    if (!is_close_code(event.code)) return fail(WebSocketFault::close_payload);
    Utf8Check reason;
    if (!reason.take(event.bytes) || !reason.whole()) return fail(WebSocketFault::utf8);
  }
  state_ = State::over;
  return event;
}

WebSocketEvent WebSocketReader::fail(WebSocketFault fault) {
  state_ = State::over;
  return {.kind = Kind::error, .fault = fault, .code = close_code(fault)};
}

// ---- out

void apply_mask(std::span<char> bytes, const WebSocketMask& mask, std::uint64_t offset) {
  WebSocketMask turned = mask;
  turn(turned, static_cast<std::size_t>(offset % mask_bytes));
  unmask(bytes, turned);
}

WebSocketHeader::WebSocketHeader(const WebSocketFrame& frame, const WebSocketMask* mask) {
  CHECK(frame.payload_bytes >> 63 == 0);
  const std::uint64_t length = frame.payload_bytes;
  const auto put = [this](std::uint64_t byte) { bytes_[size_++] = static_cast<char>(byte & 0xff); };
  put((frame.fin ? fin_bit : 0U) | static_cast<unsigned>(frame.opcode));
  const unsigned masking = mask == nullptr ? 0 : mask_bit;
  int extended_bits = 0;
  if (length <= websocket_control_bytes_max) {
    put(masking | length);
  } else {
    extended_bits = length <= 0xffff ? 16 : 64;
    put(masking | (extended_bits == 16 ? length_in_2_bytes : length_in_8_bytes));
  }
  for (int shift = extended_bits - 8; shift >= 0; shift -= 8) put(length >> shift);
  if (mask == nullptr) return;
  for (const std::uint8_t byte : *mask) put(byte);
}

WebSocketControl::WebSocketControl(WebSocketOpcode opcode, std::string_view payload, const WebSocketMask* mask) {
  CHECK(payload.size() <= websocket_control_bytes_max);
  const WebSocketFrame frame{.opcode = opcode, .payload_bytes = payload.size()};
  const WebSocketHeader header = mask == nullptr ? WebSocketHeader(frame) : WebSocketHeader(frame, *mask);
  char* to = std::copy(header.view().begin(), header.view().end(), bytes_.data());
  std::copy(payload.begin(), payload.end(), to);
  if (mask != nullptr) unmask({to, payload.size()}, *mask);
  size_ = static_cast<std::uint8_t>(header.view().size() + payload.size());
}

WebSocketControl WebSocketControl::close(std::uint16_t code, std::string_view reason, const WebSocketMask* mask) {
  if (!is_close_code(code)) return {WebSocketOpcode::close, {}, mask};
  std::array<char, websocket_control_bytes_max> payload;
  payload[0] = static_cast<char>(code >> 8);
  payload[1] = static_cast<char>(code & 0xff);
  const std::string_view kept = cut_between_characters(reason, payload.size() - 2);
  std::copy(kept.begin(), kept.end(), payload.begin() + 2);
  return {WebSocketOpcode::close, {payload.data(), 2 + kept.size()}, mask};
}

WebSocketControl WebSocketControl::ping(std::string_view payload, const WebSocketMask* mask) {
  return {WebSocketOpcode::ping, payload, mask};
}

WebSocketControl WebSocketControl::pong(std::string_view payload, const WebSocketMask* mask) {
  return {WebSocketOpcode::pong, payload, mask};
}

}  // namespace parley::core
