// tests/fuzz/digest_fuzz.cc - one header value as credentials, as a challenge and as authentication info: each against
// the slow reader, written again the same; and credentials with a nonce we never gave prove nobody, be the password
// right.
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/check.h"
#include "core/digest_header.h"
#include "core/text.h"
#include "sip/digest_auth.h"
#include "tests/core/slow_digest.h"
#include "tests/fuzz/cost.h"
#include "tests/msrp/blocks.h"

namespace {

using namespace parley::core;
using parley::tests::ExactBlock;
using parley::tests::SlowDigest;
using parley::tests::without_memory;

struct Field {
  const char* name;
  std::string_view value;
};

void check_fields(std::string_view text, std::initializer_list<Field> fields, const SlowDigest& slow) {
  for (const Field& field : fields) {
    const auto found = slow.find(field.name);
    CHECK((field.value.data() != nullptr) == (found != slow.end()));
    if (found == slow.end()) continue;
    CHECK(field.value == found->second);
    CHECK(field.value.data() >= text.data());
    CHECK(field.value.data() + field.value.size() <= text.data() + text.size());
  }
}

bool all_hex(const std::string& text) { return text.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos; }
const std::string* find(const SlowDigest& slow, const char* name) {
  const auto found = slow.find(name);
  return found == slow.end() ? nullptr : &found->second;
}
bool good_numbers(const SlowDigest& slow, const char* proof) {
  const std::string* const hash = find(slow, proof);
  const std::string* const nc = find(slow, "nc");
  return (hash == nullptr || all_hex(*hash)) && (nc == nullptr || (nc->size() == 8 && all_hex(*nc)));
}

// Nothing when a value holds what an unquoted one may and a quoted one must escape.
std::optional<std::string> written(const SlowDigest& params) {
  std::string text;
  for (const auto& [name, value] : params) {
    if (value.find('\\') != std::string::npos) return {};
    text += (text.empty() ? "" : ", ") + name + "=\"" + value + '"';
  }
  return text;
}

void check_authorization(std::string_view text, const std::optional<SlowDigest>& slow) {
  Authorization a;
  const bool ok = without_memory(text.size(), [&] { return parse_authorization(text, a); });
  CHECK(ok == (slow && good_numbers(*slow, "response")));
  if (!ok) return;
  check_fields(text,
               {{"username", a.username},
                {"realm", a.realm},
                {"nonce", a.nonce},
                {"uri", a.uri},
                {"response", a.response},
                {"algorithm", a.algorithm},
                {"cnonce", a.cnonce},
                {"opaque", a.opaque},
                {"qop", a.qop},
                {"nc", a.nc}},
               *slow);
  CHECK(a.has_uri == (find(*slow, "uri") != nullptr));
  const std::optional<std::string> again = written(*slow);
  if (!again || slow->empty()) return;
  const ExactBlock block("digest\r\n\t" + *again + ", x-y=\"\\\"\",x-y=1");
  Authorization b;
  CHECK(parse_authorization(block.view(), b));
  CHECK(a.username == b.username && a.nonce == b.nonce && a.response == b.response && a.opaque == b.opaque);
  const ExactBlock twice("Digest " + *again + ", " + slow->begin()->first + "=\"\"");
  CHECK(!parse_authorization(twice.view(), b));
}

void check_challenge(std::string_view text, const std::optional<SlowDigest>& slow) {
  Challenge c;
  const bool ok = without_memory(text.size(), [&] { return parse_challenge(text, c); });
  const std::string* const nonce = slow ? find(*slow, "nonce") : nullptr;
  CHECK(ok == (nonce != nullptr && !nonce->empty()));
  if (!ok) return;
  check_fields(text,
               {{"realm", c.realm},
                {"nonce", c.nonce},
                {"domain", c.domain},
                {"opaque", c.opaque},
                {"algorithm", c.algorithm},
                {"qop", c.qop}},
               *slow);
  const std::string* const stale = find(*slow, "stale");
  CHECK(c.stale == (stale != nullptr && equal_ignore_case(*stale, "true")));
  CHECK(c.has_opaque == (find(*slow, "opaque") != nullptr));
  // A word between commas.
  std::string list = ",";
  for (const char letter : c.qop) {
    if (letter != ' ' && letter != '\t') list += lower(letter);
  }
  const bool offered = without_memory(text.size(), [&] { return offers_qop(c, "auth"); });
  CHECK(!offered || (list + ',').find(",auth,") != std::string::npos);
  if (c.qop.find_first_of(" \t") == std::string_view::npos)
    CHECK(offered == ((list + ',').find(",auth,") != std::string::npos));
}

void check_info(std::string_view text, const std::optional<SlowDigest>& slow) {
  AuthenticationInfo info;
  const bool ok = without_memory(text.size(), [&] { return parse_authentication_info(text, info); });
  CHECK(ok == (slow && good_numbers(*slow, "rspauth")));
  if (!ok) return;
  check_fields(text,
               {{"nextnonce", info.nextnonce},
                {"rspauth", info.rspauth},
                {"cnonce", info.cnonce},
                {"qop", info.qop},
                {"nc", info.nc}},
               *slow);
}

// A server with one user, whose password the client knows. It never gives a nonce.
class Server {
 public:
  Server() {
    config_.accept_without_qop = true;
    config_.failures = {.user_per_minute = 0, .source_per_minute = 0};
    ha1_ = std::string(digest_.ha1(DigestAlgorithm::md5, "alice", realm, "secret").view());
    users_["alice"].ha1[DigestAlgorithm::md5] = ha1_;
    judge("Digest username=\"nobody\", realm=\"r\", nonce=\"n\", uri=\"sip:r\", response=\"00\"");  // takes its tables
  }

  // The value as it came, then with the right response.
  void check(std::string_view value, const SlowDigest& params) {
    judge(value);
    SlowDigest right = params;
    right["username"] = "alice";
    right["realm"] = realm;
    right.erase("algorithm");
    for (const char* name : {"nonce", "uri", "cnonce", "qop", "nc"}) {
      if (right[name].empty() && std::string_view(name) != "nonce") right.erase(name);
    }
    const auto of = [&right](const char* name) { return find(right, name) == nullptr ? "" : right.at(name); };
    const std::string nonce = of("nonce");
    const std::string nc = of("nc");
    const std::string cnonce = of("cnonce");
    const std::string qop = of("qop");
    const std::string uri = of("uri");
    right["response"] =
        std::string(digest_.response(DigestAlgorithm::md5, {ha1_, nonce, nc, cnonce, qop, "REGISTER", uri}).view());
    const std::optional<std::string> text = written(right);
    if (text) judge("Digest " + *text);
  }

 private:
  static constexpr const char* realm = "r";

  void judge(std::string_view value) {
    const std::string message =
        "REGISTER sip:r SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:alice@r>;tag=1\r\n"
        "To: <sip:alice@r>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\nAuthorization: " +
        std::string(value) + "\r\n\r\n";
    parley::sip::HeadParser parser;
    if (parser.parse(message, {.head_bytes_max = ~std::uint32_t{0}}) != parley::sip::Progress::done) return;
    const parley::sip::DigestQuestion question{
        .realm = realm, .users = users_, .head = parser.head(), .bytes = message, .source = {}};
    const parley::tests::Cost cost(message.size());
    CHECK(auth_.judge(question, Instant{} + std::chrono::hours(1)).verdict != parley::sip::DigestVerdict::accepted);
  }

  Random random_{Seed{1}};
  Metrics metrics_;
  Digest digest_;
  std::string ha1_;
  Credentials users_;
  parley::sip::DigestAuthConfig config_;
  parley::sip::DigestAuth auth_{config_, 0, random_, metrics_};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Server server;
  const ExactBlock block({reinterpret_cast<const char*>(data), size});
  const std::string copy(block.view());
  const std::optional<SlowDigest> slow = parley::tests::slow_digest(copy, true);
  check_authorization(block.view(), slow);
  check_challenge(block.view(), slow);
  check_info(block.view(), parley::tests::slow_digest(copy, false));
  if (slow) server.check(copy, *slow);
  return 0;
}
