// tests/sim/sip/message.h - a small strict reader and a writer of SIP, made from the ABNF of RFC 3261 section 25 for
// the simulator's user agents alone.
//
// They share nothing with sip/: what both sides read alike because both come from one hand would go unseen. The reader
// takes what the server may send and complains about everything else; it knows no folding, no compact names and no
// comments, because nobody here writes them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace parley::sim::sip {

struct Message {
  bool request = false;
  std::string method, uri;  // requests
  int status = 0;           // responses
  std::string reason;
  std::vector<std::pair<std::string, std::string>> fields;  // in order, without Content-Length
  std::string body;

  // The first value, whole; "" when there is none.
  [[nodiscard]] const std::string& value(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const;
  // All values, those of a list one by one.
  [[nodiscard]] std::vector<std::string> values(std::string_view name) const;
  // Whether `token` is an element of the list.
  [[nodiscard]] bool lists(std::string_view name, std::string_view token) const;
  void add(std::string name, std::string text) { fields.emplace_back(std::move(name), std::move(text)); }
};

[[nodiscard]] std::string write(const Message& message);
// A whole message. The answer is what is wrong with it; empty: nothing.
[[nodiscard]] std::string read(std::string_view bytes, Message& out);
// How many bytes of a stream are its first message; 0: it is not complete. Line ends between messages count to none:
// `skip` says how many there are in front. A head without Content-Length makes `complaint`.
[[nodiscard]] std::size_t first_message(std::string_view bytes, std::size_t& skip, std::string& complaint);

// --- parts of values

// What stands between the brackets, or the value up to its parameters.
[[nodiscard]] std::string uri_of(const std::string& address);
// A header parameter: behind the brackets, or of a Via. "" when absent; `found` tells the difference to an empty one.
[[nodiscard]] std::string parameter(const std::string& value, std::string_view name, bool* found = nullptr);
// The same value without that parameter.
[[nodiscard]] std::string without_parameter(const std::string& value, std::string_view name);
[[nodiscard]] std::vector<std::string> split_list(std::string_view value);

struct UriParts {
  std::string user, host, transport;  // "" when absent
  int port = 5060;
  bool lr = false;
};
[[nodiscard]] bool read_uri(const std::string& uri, UriParts& out);

// The topmost Via's branch, and the number and method of CSeq.
[[nodiscard]] std::string branch_of(const Message& message);
[[nodiscard]] unsigned cseq_number(const Message& message);
[[nodiscard]] std::string cseq_method(const Message& message);
[[nodiscard]] inline std::string tag_of(const std::string& address) { return parameter(address, "tag"); }

}  // namespace parley::sim::sip
