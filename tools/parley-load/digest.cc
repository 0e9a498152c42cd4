// tools/parley-load/digest.cc - challenge parsing and the digest arithmetic.
#include "tools/parley-load/digest.h"

#include <openssl/evp.h>
#include <array>
#include <cstdio>
#include <memory>

#include "tools/parley-load/words.h"

namespace parley::load {
namespace {

// Fetched once: EVP_md5() and its like are looked up again in every use, which costs more than the hashing.
const EVP_MD* digest_of(std::string_view algorithm) {
  static const EVP_MD* const md5 = EVP_MD_fetch(nullptr, "MD5", nullptr);
  static const EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA2-256", nullptr);
  static const EVP_MD* const sha512_256 = EVP_MD_fetch(nullptr, "SHA2-512/256", nullptr);
  if (algorithm.empty() || same_word(algorithm, "MD5")) return md5;
  if (same_word(algorithm, "SHA-256")) return sha256;
  if (same_word(algorithm, "SHA-512-256")) return sha512_256;
  return nullptr;
}

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

struct Param {
  std::string_view name;
  std::string value;  // without quotes, escapes undone
};

// Takes one `name = value` off the front of a comma-separated list; nothing when the list is used up or malformed.
std::optional<Param> take_param(std::string_view& rest) {
  size_t i = rest.find_first_not_of(" \t,");
  if (i == std::string_view::npos) return std::nullopt;
  const size_t equals = rest.find('=', i);
  if (equals == std::string_view::npos) return std::nullopt;
  Param param;
  param.name = rest.substr(i, equals - i);
  while (!param.name.empty() && param.name.back() == ' ') param.name.remove_suffix(1);
  i = rest.find_first_not_of(" \t", equals + 1);
  if (i == std::string_view::npos) return std::nullopt;
  if (rest[i] != '"') {
    const size_t end = std::min(rest.find_first_of(", \t", i), rest.size());
    param.value = rest.substr(i, end - i);
    rest.remove_prefix(end);
    return param;
  }
  for (++i; i < rest.size() && rest[i] != '"'; ++i) {
    if (rest[i] == '\\' && i + 1 < rest.size()) ++i;
    param.value.push_back(rest[i]);
  }
  if (i >= rest.size()) return std::nullopt;
  rest.remove_prefix(i + 1);
  return param;
}

bool offers_auth(std::string_view qop_list) {
  while (!qop_list.empty()) {
    const size_t end = std::min(qop_list.find(','), qop_list.size());
    std::string_view word = qop_list.substr(0, end);
    while (!word.empty() && word.front() == ' ') word.remove_prefix(1);
    while (!word.empty() && word.back() == ' ') word.remove_suffix(1);
    if (same_word(word, "auth")) return true;
    qop_list.remove_prefix(end < qop_list.size() ? end + 1 : end);
  }
  return false;
}

std::optional<Challenge> parse_challenge(std::string_view value) {
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  if (value.size() < 7 || !same_word(value.substr(0, 6), "Digest") || value[6] != ' ') return std::nullopt;
  value.remove_prefix(7);
  Challenge challenge;
  bool qop_usable = true;
  while (auto param = take_param(value)) {
    if (same_word(param->name, "realm")) challenge.realm = param->value;
    if (same_word(param->name, "nonce")) challenge.nonce = param->value;
    if (same_word(param->name, "algorithm")) challenge.algorithm = param->value;
    if (same_word(param->name, "opaque")) {
      challenge.opaque = param->value;
      challenge.has_opaque = true;
    }
    if (same_word(param->name, "qop")) {
      challenge.has_qop = true;
      qop_usable = offers_auth(param->value);
    }
  }
  if (challenge.nonce.empty() || !qop_usable || digest_of(challenge.algorithm) == nullptr) return std::nullopt;
  return challenge;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  out.push_back('"');
  return out;
}

}  // namespace

bool add_user(const std::string& text, std::vector<Credentials>& users) {
  const size_t colon = text.find(':');
  if (colon == std::string::npos || colon == 0) return false;
  users.push_back({text.substr(0, colon), text.substr(colon + 1)});
  return true;
}

std::optional<std::string> hash_hex(std::string_view algorithm, std::string_view text) {
  const EVP_MD* md = digest_of(algorithm);
  if (md == nullptr) return std::nullopt;
  std::array<unsigned char, EVP_MAX_MD_SIZE> raw{};
  unsigned raw_bytes = 0;
  thread_local const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  if (EVP_DigestInit_ex2(context.get(), md, nullptr) != 1 ||
      EVP_DigestUpdate(context.get(), text.data(), text.size()) != 1 ||
      EVP_DigestFinal_ex(context.get(), raw.data(), &raw_bytes) != 1)
    return std::nullopt;
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (unsigned i = 0; i < raw_bytes; ++i) {
    out.push_back(kHex[raw[i] >> 4]);
    out.push_back(kHex[raw[i] & 15]);
  }
  return out;
}

std::optional<Challenge> choose_challenge(const std::vector<std::string_view>& header_values) {
  for (const std::string_view value : header_values) {
    if (auto challenge = parse_challenge(value)) return challenge;
  }
  return std::nullopt;
}

std::string ha1_of(const Challenge& challenge, const Credentials& user) {
  return *hash_hex(challenge.algorithm, user.name + ":" + challenge.realm + ":" + user.secret);
}

std::string authorization(const Challenge& challenge, const Credentials& user, std::string_view method,
                          std::string_view uri, std::string_view cnonce, unsigned nonce_count) {
  return authorization(challenge, user.name, ha1_of(challenge, user), method, uri, cnonce, nonce_count);
}

std::string authorization(const Challenge& challenge, const std::string& name, const std::string& ha1,
                          std::string_view method, std::string_view uri, std::string_view cnonce,
                          unsigned nonce_count) {
  const std::string& algorithm = challenge.algorithm;
  const std::string ha2 = *hash_hex(algorithm, std::string(method) + ":" + std::string(uri));
  std::array<char, 9> nc{};
  std::snprintf(nc.data(), nc.size(), "%08x", nonce_count);
  std::string middle = ":" + challenge.nonce + ":";
  if (challenge.has_qop) middle += std::string(nc.data()) + ":" + std::string(cnonce) + ":auth:";
  const std::string response = *hash_hex(algorithm, ha1 + middle + ha2);

  std::string out = "Digest username=" + quoted(name) + ", realm=" + quoted(challenge.realm) +
                    ", nonce=" + quoted(challenge.nonce) + ", uri=" + quoted(uri) + ", response=\"" + response + "\"";
  if (!algorithm.empty()) out += ", algorithm=" + algorithm;
  if (challenge.has_qop) out += ", qop=auth, nc=" + std::string(nc.data()) + ", cnonce=" + quoted(cnonce);
  if (challenge.has_opaque) out += ", opaque=" + quoted(challenge.opaque);
  return out;
}

}  // namespace parley::load
