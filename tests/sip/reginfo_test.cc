// tests/sip/reginfo_test.cc - registration documents as they read; that they are XML is judged by reginfo_xml.py.
#include "sip/reginfo.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "sip/event_packages.h"

namespace parley::tests {
namespace {

using namespace parley::sip;

std::string document(const ReginfoContact& contact) {
  const std::array contacts = {contact};
  const std::array registrations = {
      ReginfoRegistration{.aor = "sip:a@b", .id = "r", .state = RegistrationState::active, .contacts = contacts}};
  std::string out;
  put_reginfo({.version = 1, .full = false, .registrations = registrations}, out);
  return out;
}

// The lines between <registration> and </registration>.
std::string contact_line(const ReginfoContact& contact) {
  const std::string text = document(contact);
  const std::size_t from = text.find("<contact");
  return text.substr(from, text.find("\n</registration>") - from);
}

TEST(Reginfo, R3680_1_ADocument) {
  const std::array contacts = {
      ReginfoContact{.id = "76",
                     .event = ContactEvent::registered,
                     .uri = "sip:user@pc887.example.com;transport=tls",
                     .display = "\"A \\\"B\\\" <C>\"",
                     .params = ";q=0.8;expires=99;+sip.instance=\"<urn:uuid:1>\";audio",
                     .expires_seconds = 600,
                     .registered_seconds = 7322,
                     .q = std::uint16_t{800},
                     .call_id = "x@y",
                     .cseq = 7},
      ReginfoContact{.id = "77",
                     .event = ContactEvent::expired,
                     .uri = "sip:user@university.edu?a=b&c=d",
                     .expires_seconds = 1,
                     .registered_seconds = 3600,
                     .q = std::uint16_t{125}},
  };
  const std::array registrations = {
      ReginfoRegistration{
          .aor = "sip:user@example.com", .id = "as9", .state = RegistrationState::active, .contacts = contacts},
      ReginfoRegistration{.aor = "tel:+1", .id = "b", .state = RegistrationState::init},
  };
  std::string out;
  put_reginfo({.version = 0, .full = true, .registrations = registrations}, out);
  EXPECT_EQ(out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" version=\"0\" state=\"full\">\n"
            "<registration aor=\"sip:user@example.com\" id=\"as9\" state=\"active\">\n"
            "<contact id=\"76\" state=\"active\" event=\"registered\" expires=\"600\" duration-registered=\"7322\" "
            "q=\"0.8\" callid=\"x@y\" cseq=\"7\"><uri>sip:user@pc887.example.com;transport=tls</uri>"
            "<display-name>A &quot;B&quot; &lt;C&gt;</display-name>"
            "<unknown-param name=\"+sip.instance\">&quot;&lt;urn:uuid:1&gt;&quot;</unknown-param>"
            "<unknown-param name=\"audio\"></unknown-param></contact>\n"
            "<contact id=\"77\" state=\"terminated\" event=\"expired\" duration-registered=\"3600\" q=\"0.125\">"
            "<uri>sip:user@university.edu?a=b&amp;c=d</uri></contact>\n"
            "</registration>\n"
            "<registration aor=\"tel:+1\" id=\"b\" state=\"init\">\n"
            "</registration>\n"
            "</reginfo>\n");
}

TEST(Reginfo, R3680_1_EventsAndWhatTheyNeed) {
  const auto attributes = [](ContactEvent event) {
    const std::string line =
        contact_line({.id = "1", .event = event, .uri = "sip:a", .expires_seconds = 5, .retry_after_seconds = 9});
    return line.substr(16, line.find('>') - 16);
  };
  EXPECT_EQ(attributes(ContactEvent::created), "state=\"active\" event=\"created\" expires=\"5\"");
  EXPECT_EQ(attributes(ContactEvent::refreshed), "state=\"active\" event=\"refreshed\" expires=\"5\"");
  EXPECT_EQ(attributes(ContactEvent::shortened), "state=\"active\" event=\"shortened\" expires=\"5\"");
  EXPECT_EQ(attributes(ContactEvent::deactivated), "state=\"terminated\" event=\"deactivated\"");
  EXPECT_EQ(attributes(ContactEvent::probation), "state=\"terminated\" event=\"probation\" retry-after=\"9\"");
  EXPECT_EQ(attributes(ContactEvent::unregistered), "state=\"terminated\" event=\"unregistered\"");
  EXPECT_EQ(attributes(ContactEvent::rejected), "state=\"terminated\" event=\"rejected\"");
  // They have to be there even when the caller has forgotten them.
  EXPECT_NE(contact_line({.id = "1", .event = ContactEvent::shortened, .uri = "a"}).find(" expires=\"0\""),
            std::string::npos);
  EXPECT_NE(contact_line({.id = "1", .event = ContactEvent::probation, .uri = "a"}).find(" retry-after=\"0\""),
            std::string::npos);
}

TEST(Reginfo, R3680_1_APeerCannotWriteMarkup) {
  const std::string line = contact_line({.id = "\"/><x>",
                                         .uri = "</uri><contact id='9'>",
                                         .display = "\"a\x01\xff\xed\xa0\x80\"",
                                         .params = ";p=\"]]>&amp;\"",
                                         .call_id = "a\r\nb\"<"});
  EXPECT_EQ(
      line,
      "<contact id=\"&quot;/&gt;&lt;x&gt;\" state=\"active\" event=\"registered\" callid=\"a&#13;&#10;b&quot;&lt;\">"
      "<uri>&lt;/uri&gt;&lt;contact id='9'&gt;</uri>"
      "<display-name>a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD</display-name>"
      "<unknown-param name=\"p\">&quot;]]&gt;&amp;amp;&quot;</unknown-param></contact>");
}

TEST(Reginfo, R3680_1_Weights) {
  const auto q = [](std::uint16_t thousandths) {
    const std::string line = contact_line({.id = "1", .uri = "a", .q = thousandths});
    const std::size_t from = line.find(" q=\"") + 4;
    return line.substr(from, line.find('"', from) - from);
  };
  EXPECT_EQ(q(0), "0");
  EXPECT_EQ(q(5), "0.005");
  EXPECT_EQ(q(500), "0.5");
  EXPECT_EQ(q(1000), "1");
  EXPECT_EQ(q(5000), "1");
}

TEST(ReginfoChanges, R3680_1_OneEntryPerContactWithItsLastEvent) {
  ReginfoChanges changes;
  EXPECT_TRUE(changes.empty());
  {
    const std::string id = "1";
    const std::string uri = "sip:first@example.com";
    changes.add({.id = id, .event = ContactEvent::registered, .uri = uri});
  }
  changes.add({.id = "2", .event = ContactEvent::refreshed, .uri = "sip:2"});
  changes.add({.id = "1", .event = ContactEvent::unregistered, .uri = "sip:1", .q = std::uint16_t{500}});
  const std::vector<ReginfoContact> contacts = changes.contacts();
  ASSERT_EQ(contacts.size(), 2U);
  EXPECT_EQ(contacts[0].id, "1");
  EXPECT_EQ(contacts[0].uri, "sip:1");
  EXPECT_EQ(contacts[0].event, ContactEvent::unregistered);
  EXPECT_EQ(contacts[0].q, 500);
  EXPECT_EQ(contacts[1].id, "2");
  changes.clear();
  EXPECT_TRUE(changes.empty());
}

TEST(ReginfoChanges, R3680_1_TooManyMakeAFullDocument) {
  ReginfoChanges changes;
  for (std::size_t n = 0; n < reginfo_changes_max; ++n) changes.add({.id = std::to_string(n), .uri = "sip:x"});
  changes.add({.id = "0", .uri = "sip:y"});
  EXPECT_FALSE(changes.overflown());
  changes.add({.id = "one more", .uri = "sip:x"});
  EXPECT_TRUE(changes.overflown());
  EXPECT_EQ(changes.contacts().size(), reginfo_changes_max);
  changes.clear();
  EXPECT_FALSE(changes.overflown());
}

TEST(Reginfo, R3680_1_VersionsAsASubscriberSeesThem) {
  EXPECT_EQ(reginfo_step(std::nullopt, 7), ReginfoStep::process);
  EXPECT_EQ(reginfo_step(7, 8), ReginfoStep::process);
  EXPECT_EQ(reginfo_step(7, 9), ReginfoStep::process_and_refresh);
  EXPECT_EQ(reginfo_step(7, 7), ReginfoStep::discard);
  EXPECT_EQ(reginfo_step(7, 6), ReginfoStep::discard);
}

static_assert(reg_package.expires_default_seconds == 3761);
static_assert(reg_package.interval_min == std::chrono::seconds(5));

}  // namespace
}  // namespace parley::tests
