// tests/policy/conference_reader.h - a subscriber to conference state: reads documents with libxml2 and builds the
// state by the algorithm of RFC 4575 section 4.6 over whatever elements there are. It knows nothing of how they are
// written.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace parley::tests {

struct ConferenceElement {
  std::string name;
  std::map<std::string, std::string> attributes;  // "xcon:nickname" by its namespace
  std::string text;
  std::vector<ConferenceElement> children;
  [[nodiscard]] const ConferenceElement* child(std::string_view name) const;
  [[nodiscard]] std::string text_of(std::string_view name) const;  // of a child; "": none
  [[nodiscard]] std::string attribute(const std::string& name) const;
};

class ConferenceReader {
 public:
  enum class Step : std::uint8_t { applied, discarded, gap, broken };
  // `broken`: not well-formed, or against section 4.4, 4.5 or the order of the schema; see fault().
  Step take(std::string_view document);

  [[nodiscard]] const std::string& fault() const { return fault_; }
  [[nodiscard]] bool has_state() const { return root_.has_value(); }
  [[nodiscard]] bool deleted() const { return deleted_; }
  [[nodiscard]] std::uint32_t version() const { return version_; }
  [[nodiscard]] const std::string& last_state() const { return last_state_; }  // of the last document's root
  [[nodiscard]] const ConferenceElement& last() const { return last_; }        // the last document
  [[nodiscard]] const ConferenceElement& root() const { return *root_; }

  // One line for each user, in the order of their entities:
  //   sip:alice@example.org "Alice" nick= | sip:alice@192.0.2.1 connected dialed-in sendrecv
  [[nodiscard]] std::string users() const;
  [[nodiscard]] std::string count() const;  // text of user-count

 private:
  [[nodiscard]] bool check(const ConferenceElement& at, const std::string& parent_state);
  static void apply(ConferenceElement& local, const ConferenceElement& update);

  std::optional<ConferenceElement> root_;
  ConferenceElement last_;
  std::uint32_t version_ = 0;
  bool deleted_ = false;
  std::string last_state_;
  std::string fault_;
};

}  // namespace parley::tests
