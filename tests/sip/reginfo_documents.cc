// tests/sip/reginfo_documents.cc - for reginfo_xml.py: each line of standard input, seven texts in hexadecimal (aor,
// ids, URI, display name, parameters, Call-ID), becomes a document with one contact, followed by a zero byte.
#include <array>
#include <iostream>
#include <sstream>
#include <string>

#include "core/digest.h"
#include "sip/reginfo.h"

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::array<std::string, 7> texts;
    for (std::string& text : texts) {
      std::string hex;
      words >> hex;
      text.resize((hex.size() - 1) / 2);  // behind an 'x', so that there is a word for an empty text
      const std::span<std::uint8_t> bytes(reinterpret_cast<std::uint8_t*>(text.data()), text.size());
      if (hex.empty() || !parley::core::hex_decode(std::string_view(hex).substr(1), bytes)) return 1;
    }
    using namespace parley::sip;
    const std::array contacts = {ReginfoContact{.id = texts[2],
                                                .event = ContactEvent::registered,
                                                .uri = texts[3],
                                                .display = texts[4],
                                                .params = texts[5],
                                                .call_id = texts[6]}};
    const std::array registrations = {
        ReginfoRegistration{.aor = texts[0], .id = texts[1], .state = RegistrationState::active, .contacts = contacts}};
    std::string out;
    put_reginfo({.version = 4294967295U, .full = true, .registrations = registrations}, out);
    std::cout << out << '\0';
  }
  return 0;
}
