// tests/policy/operator_policy_test.cc - what an operator allows on two levels; the document's reader against its
// schema.
#include "policy/operator_policy.h"

#include <gtest/gtest.h>
#include <libxml/relaxng.h>

#include <fstream>
#include <iterator>
#include <string>

namespace parley::policy {
namespace {

using namespace std::chrono_literals;

std::string document(const std::string& inside) {
  return "<?xml version='1.0'?>\n<operator-policy xmlns='urn:parley:operator-policy'>" + inside + "</operator-policy>";
}
std::string service(const std::string& inside) { return document("<service>" + inside + "</service>"); }

OperatorPolicy policy_of(const std::string& bytes) {
  OperatorPolicy out;
  const XmlError error = parse_operator_policy(bytes, out);
  EXPECT_FALSE(error) << to_string(error);
  return out;
}

std::string complaint(const std::string& bytes) {
  OperatorPolicy out;
  const XmlError error = parse_operator_policy(bytes, out);
  return error ? to_string(error) : "no complaint";
}

// The same question to packaging/operator-policy.rng.
class Schema {
 public:
  Schema() {
    xmlRelaxNGParserCtxtPtr parser = xmlRelaxNGNewParserCtxt(PARLEY_PACKAGING "/operator-policy.rng");
    schema_ = xmlRelaxNGParse(parser);
    xmlRelaxNGFreeParserCtxt(parser);
  }
  ~Schema() { xmlRelaxNGFree(schema_); }
  Schema(const Schema&) = delete;
  Schema& operator=(const Schema&) = delete;
  [[nodiscard]] bool read() const { return schema_ != nullptr; }
  [[nodiscard]] bool takes(const std::string& bytes) const {
    xmlDocPtr tree = xmlReadMemory(bytes.data(), static_cast<int>(bytes.size()), nullptr, nullptr,
                                   XML_PARSE_NONET | XML_PARSE_NOERROR);
    if (tree == nullptr) return false;
    xmlRelaxNGValidCtxtPtr context = xmlRelaxNGNewValidCtxt(schema_);
    xmlRelaxNGSetValidStructuredErrors(
        context, [](void*, xmlErrorPtr) {}, nullptr);  // else they are printed
    const bool good = xmlRelaxNGValidateDoc(context, tree) == 0;
    xmlRelaxNGFreeValidCtxt(context);
    xmlFreeDoc(tree);
    return good;
  }

 private:
  xmlRelaxNGPtr schema_ = nullptr;
};

std::string joined(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& item : list) text += (text.empty() ? "" : " ") + item;
  return text;
}

TEST(OperatorPolicy, OMA_POL_1_the_example_says_what_it_says) {
  std::ifstream file(PARLEY_PACKAGING "/operator-policy.xml");
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const OperatorPolicy policy = policy_of(bytes);
  const UserPolicy all = policy.for_user("sip:alice@example.org");
  EXPECT_EQ(all.pager_body_bytes_max(), 1300U);
  EXPECT_EQ(all.msrp_message_bytes_max(), 10U << 20);
  EXPECT_EQ(all.file_bytes_max(), 100U << 20);
  EXPECT_EQ(all.participants_max(), 100U);
  EXPECT_EQ(all.sessions_max(), 20U);
  EXPECT_TRUE(all.allows_mode(ImMode::session) && all.allows_mode(ImMode::file_transfer));
  EXPECT_FALSE(all.requires_version());
  EXPECT_TRUE(all.allows_peer_domain("anywhere.net"));
  EXPECT_EQ(all.rate(RatedMethod::message), (Rate{60, 20}));
  EXPECT_EQ(joined(all.allowed_types(MimePlace::plain)),
            "text/plain message/cpim multipart/* image/* application/*+xml");
  EXPECT_EQ(joined(all.allowed_types(MimePlace::wrapped)), "text/plain image/* application/*+xml");
  EXPECT_TRUE(all.allows_type("image/png", MimePlace::wrapped));
  EXPECT_FALSE(all.allows_type("image/svg+xml", MimePlace::wrapped));
  EXPECT_FALSE(all.allows_type("message/cpim", MimePlace::wrapped));
  const UserPolicy guest = policy.for_user("sip:guest@example.org");
  EXPECT_EQ(guest.file_bytes_max(), 1U << 20);
  EXPECT_EQ(guest.msrp_message_bytes_max(), 10U << 20);
  EXPECT_TRUE(guest.allows_mode(ImMode::pager));
  EXPECT_FALSE(guest.allows_mode(ImMode::session));
  EXPECT_TRUE(guest.allows_peer_domain("EXAMPLE.org.") && guest.allows_peer_domain("a.b.example.org"));
  EXPECT_FALSE(guest.allows_peer_domain("badexample.org") || guest.allows_peer_domain("example.net"));
}

TEST(OperatorPolicy, OMA_POL_1_nothing_said_allows_all) {
  const OperatorPolicy policy;
  const UserPolicy all = policy.for_user("sip:alice@example.org");
  EXPECT_TRUE(all.allows_type("video/mp4", MimePlace::plain));
  EXPECT_EQ(joined(all.allowed_types(MimePlace::plain)), "*/*");
  EXPECT_EQ(all.file_bytes_max(), std::nullopt);
  EXPECT_EQ(all.rate(RatedMethod::invite), std::nullopt);
  EXPECT_TRUE(all.allows_client("") && all.allows_peer_domain("") && all.allows_mode(ImMode::group));
}

TEST(OperatorPolicy, OMA_POL_1_the_stricter_of_two_levels_counts_in_either_direction) {
  const std::string strict =
      "<pager-body-max>100</pager-body-max><participants-max>2</participants-max><sessions-max>1</sessions-max>"
      "<modes>pager session</modes><rate method='MESSAGE' per-minute='5' burst='9'/>";
  const std::string loose =
      "<pager-body-max>1000</pager-body-max><participants-max>20</participants-max><sessions-max>10</sessions-max>"
      "<modes>pager group</modes><rate method='MESSAGE' per-minute='50' burst='3'/>";
  for (const bool swapped : {false, true}) {
    const OperatorPolicy policy =
        policy_of(document("<service>" + (swapped ? loose : strict) + "</service><user uri='sip:a@x'>" +
                           (swapped ? strict : loose) + "</user>"));
    const UserPolicy user = policy.for_user("sip:a@x");
    EXPECT_EQ(user.pager_body_bytes_max(), 100U);
    EXPECT_EQ(user.participants_max(), 2U);
    EXPECT_EQ(user.sessions_max(), 1U);
    EXPECT_TRUE(user.allows_mode(ImMode::pager));
    EXPECT_FALSE(user.allows_mode(ImMode::session) || user.allows_mode(ImMode::group));
    EXPECT_EQ(user.rate(RatedMethod::message), (Rate{5, 3}));
  }
}

TEST(OperatorPolicy, OMA_POL_1_a_type_has_to_be_allowed_by_both_levels) {
  const OperatorPolicy policy =
      policy_of(document("<service><content><allow type='text/*'/><allow type='image/png'/></content></service>"
                         "<user uri='sip:a@x'><content><allow type='text/plain'/><allow type='image/*'/><allow "
                         "type='video/mp4'/><deny type='text/html'/></content></user>"));
  const UserPolicy user = policy.for_user("sip:a@x");
  EXPECT_TRUE(user.allows_type("TEXT/Plain; charset=utf-8", MimePlace::plain));
  EXPECT_TRUE(user.allows_type("image/png", MimePlace::wrapped));
  EXPECT_FALSE(user.allows_type("image/gif", MimePlace::plain));
  EXPECT_FALSE(user.allows_type("video/mp4", MimePlace::plain));
  EXPECT_FALSE(user.allows_type("text/html", MimePlace::plain));
  EXPECT_FALSE(user.allows_type("nonsense", MimePlace::plain));
  EXPECT_FALSE(user.allows_type("", MimePlace::plain));
  EXPECT_EQ(joined(user.allowed_types(MimePlace::plain)), "image/png text/plain");  // OMA-POL-4
}

TEST(OperatorPolicy, OMA_POL_2_plain_and_wrapped_are_asked_apart) {
  const OperatorPolicy policy =
      policy_of(service("<content><allow type='message/cpim' in='plain'/><allow type='text/plain' in='wrapped'/><deny "
                        "type='*/*+xml' in='wrapped'/></content>"));
  const UserPolicy user = policy.for_user("");
  EXPECT_TRUE(user.allows_type("message/cpim", MimePlace::plain));
  EXPECT_FALSE(user.allows_type("text/plain", MimePlace::plain));
  EXPECT_TRUE(user.allows_type("text/plain", MimePlace::wrapped));
  EXPECT_FALSE(user.allows_type("message/cpim", MimePlace::wrapped));
  const OperatorPolicy denied =
      policy_of(service("<content><deny type='application/*'/><deny type='*/*+xml' in='wrapped'/></content>"));
  EXPECT_FALSE(denied.for_user("").allows_type("application/x-msdownload", MimePlace::wrapped));
  EXPECT_TRUE(denied.for_user("").allows_type("image/svg+xml", MimePlace::plain));
  EXPECT_FALSE(denied.for_user("").allows_type("image/svg+xml", MimePlace::wrapped));
}

TEST(OperatorPolicy, OMA_POL_1_patterns_of_types) {
  const auto matches = [](std::string_view pattern, std::string_view type, std::string_view subtype) {
    const auto parsed = parse_mime_pattern(pattern);
    EXPECT_TRUE(parsed.has_value()) << pattern;
    return parsed && parsed->matches(type, subtype);
  };
  EXPECT_TRUE(matches("*/*", "a", "b") && matches("A/*", "a", "B") && matches("a/B", "A", "b") &&
              matches("a/*+xml", "a", "x+XML"));
  EXPECT_FALSE(matches("a/*", "b", "b") || matches("a/b", "a", "bb") || matches("a/*+xml", "a", "xml") ||
               matches("a/*+xml", "a", "+xml") || matches("a/*+xml", "a", "x+xml2"));
  for (const char* bad :
       {"", "a", "/", "a/", "/b", "*", "*/b", "a*/b", "a/b*", "a/*b", "a/*+*", "a b/c", "a/b;c=d", "a/b/c"}) {
    EXPECT_EQ(parse_mime_pattern(bad), std::nullopt) << bad;
  }
}

TEST(OperatorPolicy, OMA_ID_4_the_client_s_first_product_decides) {
  const OperatorPolicy policy = policy_of(service("<client-version>IM-client/OMA1.1</client-version>"));
  const UserPolicy user = policy.for_user("");
  for (const char* good :
       {"IM-client/OMA1.1", "im-CLIENT/oma1.1 vendor/3", "IM-client/OMA2.0", "IM-client/OMA1.10", "IM-client/OMA2"}) {
    EXPECT_TRUE(user.allows_client(good)) << good;
  }
  for (const char* bad :
       {"", "IM-client/OMA1.0", "IM-client/OMA1", "vendor/3 IM-client/OMA2.0", "IM-client", "IM-client/OMA",
        "IM-serv/OMA2.0", "IM-client/OMAx", "IM-client/OMA1.", "IM-client/OMA99999999999"}) {
    EXPECT_FALSE(user.allows_client(bad)) << bad;
  }
}

TEST(OperatorPolicy, OMA_POL_5_a_rate_lets_a_burst_and_then_its_pace_through) {
  const Rate rate{.per_minute = 60, .burst = 3};
  RateMeter meter;
  core::Instant now{1h};
  EXPECT_TRUE(meter.take(rate, now) && meter.take(rate, now) && meter.take(rate, now));
  EXPECT_FALSE(meter.take(rate, now));
  EXPECT_FALSE(meter.take(rate, now + 999ms));
  EXPECT_TRUE(meter.take(rate, now + 1s));
  EXPECT_FALSE(meter.take(rate, now + 1s));
  now += 1h;  // a long silence earns a burst and no more
  int taken = 0;
  while (meter.take(rate, now)) ++taken;
  EXPECT_EQ(taken, 3);
  RateMeter other;
  EXPECT_FALSE(other.take({.per_minute = 0, .burst = 1}, now));
  EXPECT_FALSE(other.take({.per_minute = 1, .burst = 0}, now));
}

struct Mistake {
  const char* inside;  // of <service>
  const char* why;
};
const Mistake mistakes[] = {
    {"<unknown/>", "<unknown> is not known"},
    {"<file-max xmlns='urn:other'>1</file-max>", "<file-max> is not of the namespace urn:parley:operator-policy"},
    {"<file-max>1</file-max><file-max>2</file-max>", "<file-max> stands twice"},
    {"<file-max>large</file-max>", "<file-max> is no size such as 1300 or 64KiB"},
    {"<file-max unit='x'>1</file-max>", "<file-max> has an attribute that is not known: unit"},
    {"<file-max>1<b/></file-max>", "<file-max> has an element inside"},
    {"<sessions-max>-1</sessions-max>", "<sessions-max> is no number"},
    {"<modes>session fax</modes>",
     "<modes> has a word that is none of session, pager, large-message, file-transfer, group"},
    {"<client-version>new</client-version>", "<client-version> is no version such as IM-client/OMA1.0"},
    {"<peer-domains>*</peer-domains>", "<peer-domains> has a word that is no domain"},
    {"<content>text</content>", "<content> has text inside"},
    {"<content/><content/>", "<content> stands twice"},
    {"<content><permit type='a/b'/></content>", "<permit> is not known"},
    {"<content><allow/></content>", "<allow> has no type such as text/plain, image/* or */*"},
    {"<content><allow type='text'/></content>", "<allow> has no type such as text/plain, image/* or */*"},
    {"<content><allow type='a/b' in='somewhere'/></content>", "<allow> has an in that is neither plain nor wrapped"},
    {"<content><allow type='a/b'>x</allow></content>", "<allow> has text inside"},
    {"<rate method='OPTIONS' per-minute='1'/>",
     "<rate> has no method that is one of MESSAGE, INVITE, PUBLISH, SUBSCRIBE"},
    {"<rate method='INVITE'/>", "<rate> has no per-minute that is at least 1"},
    {"<rate method='INVITE' per-minute='0'/>", "<rate> has no per-minute that is at least 1"},
    {"<rate method='INVITE' per-minute='1' burst='0'/>", "<rate> has a burst that is not at least 1"},
};

TEST(OperatorPolicy, OMA_POL_1_mistakes_are_named_and_the_schema_finds_them_too) {
  const Schema schema;
  ASSERT_TRUE(schema.read());
  for (const Mistake& mistake : mistakes) {
    EXPECT_EQ(complaint(service(mistake.inside)), "line 2: " + std::string(mistake.why));
    EXPECT_FALSE(schema.takes(service(mistake.inside))) << mistake.inside;
  }
  for (const char* bad : {"<service/><service/>", "<user/>", "<user uri='sip:a@x' level='2'/>", "<group/>", "text"}) {
    EXPECT_NE(complaint(document(bad)), "no complaint") << bad;
    EXPECT_FALSE(schema.takes(document(bad))) << bad;
  }
  EXPECT_EQ(complaint("<operator-policy/>"), "line 1: is no operator-policy document");
  // Two ways to write one user, and a method twice, are beyond a schema.
  EXPECT_EQ(complaint(document("<user uri='sip:a@x'/><user uri='sip:a@X'/>")),
            "line 2: <user> stands twice for one uri");
  EXPECT_EQ(complaint(service("<rate method='INVITE' per-minute='1'/><rate method='INVITE' per-minute='2'/>")),
            "line 2: <rate> stands twice for INVITE");
}

TEST(OperatorPolicy, OMA_POL_1_what_is_read_the_schema_takes) {
  const Schema schema;
  ASSERT_TRUE(schema.read());
  for (const std::string& good :
       {document(""), service(""), document("<user uri='sip:a@x'><modes/></user><service/><user uri='tel:+1'/>"),
        service("<rate method='INVITE' per-minute='1'/><file-max> 64KiB </file-max><content><deny type='*/*+xml' "
                "in='plain'/><allow type='text/*+x'/></content>"
                "<rate method='MESSAGE' per-minute='1' burst='2'/><modes> session\n pager </modes><peer-domains>a.b "
                "*.c [::1]</peer-domains>"
                "<client-version>IM-client/OMA1.0</client-version><participants-max>0</participants-max>")}) {
    EXPECT_EQ(complaint(good), "no complaint") << good;
    EXPECT_TRUE(schema.takes(good)) << good;
  }
}

}  // namespace
}  // namespace parley::policy
