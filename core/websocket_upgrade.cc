// core/websocket_upgrade.cc - see websocket_upgrade.h.
#include "core/websocket_upgrade.h"

#include <openssl/evp.h>

#include <algorithm>

namespace parley::core {
namespace {

constexpr std::string_view spoken_version = "13";
constexpr std::size_t key_chars = 24;                                               // 16 bytes
constexpr std::size_t accept_chars = 28;                                            // 20 bytes
constexpr std::string_view accept_suffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455 1.3
constexpr std::size_t sha1_bytes = 20;

bool is_base64(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

// RFC 6455 4.1 shows a key whose last character has bits that decode to nothing: they are not looked at.
bool is_key(std::string_view text) {
  return text.size() == key_chars && text.ends_with("==") && std::all_of(text.begin(), text.end() - 2, is_base64);
}

bool asks_for_websocket(const HttpHead& head, std::string_view bytes) {
  return head.list_element("Upgrade", "websocket", HttpHead::Case::ignored, bytes).data() != nullptr &&
         head.list_element("Connection", "Upgrade", HttpHead::Case::ignored, bytes).data() != nullptr;
}

bool announces_body(const HttpHead& head, std::string_view bytes) {
  const HttpHead::Found length = head.find("Content-Length", bytes);
  if (head.find("Transfer-Encoding", bytes).count != 0 || length.count > 1) return true;
  return length.count == 1 && length.value != "0";
}

UpgradeFault fault_of(HttpProgress progress) {
  switch (progress) {
    case HttpProgress::done: return UpgradeFault::none;
    case HttpProgress::too_long: return UpgradeFault::too_long;
    case HttpProgress::need_more:
    case HttpProgress::bad: break;
  }
  return UpgradeFault::not_http;
}

// RFC 6455 4.2.1, in its order; what it says "MUST fail" for.
UpgradeFault judge(const HttpHead& head, std::string_view bytes, std::string_view subprotocol) {
  if (head.version < 11 || head.version > 19) return UpgradeFault::http_version;
  if (head.method.of(bytes) != "GET") return UpgradeFault::method;
  if (announces_body(head, bytes)) return UpgradeFault::body;
  if (head.find("Host", bytes).count != 1) return UpgradeFault::host;
  if (!asks_for_websocket(head, bytes)) return UpgradeFault::no_upgrade;
  const HttpHead::Found version = head.find("Sec-WebSocket-Version", bytes);
  if (version.count != 1 || version.value != spoken_version) return UpgradeFault::websocket_version;
  const HttpHead::Found key = head.find("Sec-WebSocket-Key", bytes);
  if (key.count != 1 || !is_key(key.value)) return UpgradeFault::key;
  if (head.find("Origin", bytes).count > 1) return UpgradeFault::origin;
  if (head.list_element("Sec-WebSocket-Protocol", subprotocol, HttpHead::Case::exact, bytes).data() == nullptr)
    return UpgradeFault::subprotocol;
  return UpgradeFault::none;
}

void append(std::string& to, std::initializer_list<std::string_view> parts) {
  for (const std::string_view part : parts) to += part;
}

}  // namespace

std::string_view to_string(UpgradeFault fault) {
  switch (fault) {
    case UpgradeFault::none: return "none";
    case UpgradeFault::not_http: return "not HTTP";
    case UpgradeFault::too_long: return "head too long";
    case UpgradeFault::http_version: return "HTTP version";
    case UpgradeFault::method: return "method";
    case UpgradeFault::body: return "body";
    case UpgradeFault::host: return "Host";
    case UpgradeFault::no_upgrade: return "no upgrade to websocket";
    case UpgradeFault::websocket_version: return "Sec-WebSocket-Version";
    case UpgradeFault::key: return "Sec-WebSocket-Key";
    case UpgradeFault::origin: return "Origin";
    case UpgradeFault::subprotocol: return "Sec-WebSocket-Protocol";
    case UpgradeFault::status: return "status";
    case UpgradeFault::accept: return "Sec-WebSocket-Accept";
    case UpgradeFault::extensions: return "Sec-WebSocket-Extensions";
  }
  return "?";
}

Upgrade judge_upgrade(HttpProgress progress, const HttpHead& head, std::string_view bytes,
                      std::string_view subprotocol) {
  Upgrade upgrade;
  upgrade.fault = fault_of(progress);
  if (upgrade.fault != UpgradeFault::none) return upgrade;
  upgrade.fault = judge(head, bytes, subprotocol);
  upgrade.target = head.target.of(bytes);
  upgrade.host = head.find("Host", bytes).value;
  upgrade.origin = head.find("Origin", bytes).value;
  upgrade.key = head.find("Sec-WebSocket-Key", bytes).value;
  upgrade.subprotocol = head.list_element("Sec-WebSocket-Protocol", subprotocol, HttpHead::Case::exact, bytes);
  return upgrade;
}

void write_upgrade(std::string& to, const Upgrade& upgrade) {
  CHECK(upgrade.fault == UpgradeFault::none);
  const WebSocketAccept accept = websocket_accept(upgrade.key);
  append(to, {"HTTP/1.1 101 Switching Protocols\r\n"
              "Upgrade: websocket\r\n"
              "Connection: Upgrade\r\n"
              "Sec-WebSocket-Accept: ",
              {accept.data(), accept.size()},
              "\r\nSec-WebSocket-Protocol: ",
              upgrade.subprotocol,
              "\r\n"});
  if (upgrade.origin.data() != nullptr) append(to, {"Access-Control-Allow-Origin: ", upgrade.origin, "\r\n"});
  to += "\r\n";
}

void write_refusal(std::string& to, UpgradeFault fault) {
  CHECK(fault != UpgradeFault::none);
  std::string_view line = "400 Bad Request";
  std::string_view more;
  switch (fault) {
    case UpgradeFault::too_long: line = "431 Request Header Fields Too Large"; break;
    case UpgradeFault::http_version: line = "505 HTTP Version Not Supported"; break;
    case UpgradeFault::method:
      line = "405 Method Not Allowed";
      more = "Allow: GET\r\n";
      break;
    case UpgradeFault::no_upgrade:  // RFC 9110 15.5.22: says what to upgrade to
    case UpgradeFault::websocket_version:
      line = "426 Upgrade Required";
      more = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";  // RFC 6455 4.4
      break;
    default: break;
  }
  const bool upgrade = !more.empty() && line.starts_with("426");
  append(to, {"HTTP/1.1 ", line, "\r\n", more, "Connection: close", upgrade ? ", Upgrade" : "",
              "\r\nContent-Length: 0\r\n\r\n"});
}

void write_refusal(std::string& to, std::uint16_t status, std::string_view reason) {
  append(to, {"HTTP/1.1 ", std::to_string(status), " ", reason, "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"});
}

WebSocketKey::WebSocketKey(std::span<const std::uint8_t, 16> random) {
  std::array<unsigned char, key_chars + 1> text;  // libcrypto adds a zero byte
  CHECK(EVP_EncodeBlock(text.data(), random.data(), static_cast<int>(random.size())) == key_chars);
  std::copy_n(text.begin(), key_chars, chars_.begin());
}

WebSocketAccept websocket_accept(std::string_view key) {
  CHECK(key.size() == key_chars);
  std::array<char, key_chars + accept_suffix.size()> joined;
  std::copy(accept_suffix.begin(), accept_suffix.end(), std::copy(key.begin(), key.end(), joined.begin()));
  // SHA-1 is what RFC 6455 asks for; nothing rests on its strength.
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash;
  std::size_t hash_size = 0;
  CHECK(EVP_Q_digest(nullptr, "SHA1", nullptr, joined.data(), joined.size(), hash.data(), &hash_size) == 1);
  CHECK(hash_size == sha1_bytes);
  std::array<unsigned char, accept_chars + 1> text;
  CHECK(EVP_EncodeBlock(text.data(), hash.data(), sha1_bytes) == accept_chars);
  WebSocketAccept accept;
  std::copy_n(text.begin(), accept_chars, accept.begin());
  return accept;
}

void write_upgrade_request(std::string& to, const UpgradeAsk& ask) {
  CHECK(is_key(ask.key));
  append(to, {"GET ", ask.target, " HTTP/1.1\r\nHost: ", ask.host,
              "\r\nUpgrade: websocket\r\n"
              "Connection: Upgrade\r\n"
              "Sec-WebSocket-Key: ",
              ask.key, "\r\nSec-WebSocket-Version: ", spoken_version, "\r\nSec-WebSocket-Protocol: ", ask.subprotocol,
              "\r\n"});
  if (!ask.origin.empty()) append(to, {"Origin: ", ask.origin, "\r\n"});
  to += "\r\n";
}

// RFC 6455 4.1, what a client checks.
UpgradeFault check_upgrade_answer(HttpProgress progress, const HttpHead& head, std::string_view bytes,
                                  const UpgradeAsk& ask) {
  if (const UpgradeFault fault = fault_of(progress); fault != UpgradeFault::none) return fault;
  if (head.version < 11 || head.version > 19) return UpgradeFault::http_version;
  if (head.status != 101) return UpgradeFault::status;
  if (!asks_for_websocket(head, bytes)) return UpgradeFault::no_upgrade;
  const WebSocketAccept accept = websocket_accept(ask.key);
  const HttpHead::Found proof = head.find("Sec-WebSocket-Accept", bytes);
  if (proof.count != 1 || proof.value != std::string_view(accept.data(), accept.size())) return UpgradeFault::accept;
  if (head.find("Sec-WebSocket-Extensions", bytes).count != 0) return UpgradeFault::extensions;
  const HttpHead::Found chosen = head.find("Sec-WebSocket-Protocol", bytes);
  if (chosen.count != 1 || chosen.value != ask.subprotocol) return UpgradeFault::subprotocol;
  return UpgradeFault::none;
}

}  // namespace parley::core
