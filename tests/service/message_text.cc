// tests/service/message_text.cc - see message_text.h.
#include "tests/service/message_text.h"

#include <gtest/gtest.h>

#include "core/digest.h"

namespace parley::tests {

std::string header(std::string_view message, const std::string& name) {
  const std::size_t at = message.find("\r\n" + name + ": ");
  if (at == std::string_view::npos) return {};
  const std::size_t start = at + 2 + name.size() + 2;
  return std::string(message.substr(start, message.find("\r\n", start) - start));
}

std::string code(std::string_view response) { return std::string(response.substr(8, 3)); }

std::string between(std::string_view text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  if (at == std::string_view::npos) return {};
  const std::size_t start = at + from.size();
  return std::string(text.substr(start, text.find(to, start) - start));
}

std::string body_of(std::string_view message) {
  const std::size_t at = message.find("\r\n\r\n");
  return at == std::string_view::npos ? std::string() : std::string(message.substr(at + 4));
}

std::string document_in(std::string_view json) {
  const std::string xml = between(json, "\"document\":\"", "\"}");
  std::string plain;
  for (std::size_t i = 0; i < xml.size(); ++i) {
    if (xml[i] != '\\') {
      plain += xml[i];
    } else {
      plain += xml[++i] == 'n' ? '\n' : xml[i];
    }
  }
  return plain;
}

std::string credentials(std::string_view challenge_message, const std::string& method, const std::string& uri,
                        const std::string& user, std::string_view count) {
  const bool proxy = challenge_message.find("\r\nProxy-Authenticate: ") != std::string_view::npos;
  const std::size_t at = challenge_message.find("algorithm=SHA-256");
  EXPECT_NE(at, std::string_view::npos) << challenge_message;
  const std::size_t line = challenge_message.rfind("\r\n", at);
  const std::string nonce = between(challenge_message.substr(line), "nonce=\"", "\"");
  core::Digest digest;
  const auto algorithm = core::DigestAlgorithm::sha256;
  const auto ha1 = digest.ha1(algorithm, user, "example.org", "secret");
  const auto response = digest.response(algorithm, {ha1.view(), nonce, count, "cafe", "auth", method, uri});
  return std::string(proxy ? "Proxy-Authorization" : "Authorization") + ": Digest username=\"" + user +
         "\", realm=\"example.org\", nonce=\"" + nonce + "\", uri=\"" + uri + "\", qop=auth, nc=" + std::string(count) +
         ", cnonce=\"cafe\", algorithm=SHA-256, response=\"" + std::string(response.view()) + "\"\r\n";
}

}  // namespace parley::tests
