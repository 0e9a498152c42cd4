// tests/policy/resource_list_test.cc - recipient lists: what is read, who remains, what each is told of the others.
#include "policy/resource_list.h"

#include <gtest/gtest.h>

#include <string>

#include "policy/user_key.h"

namespace parley::policy {
namespace {

std::string list(const std::string& inside, const std::string& copy_space = "urn:ietf:params:xml:ns:copycontrol") {
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\" "
         "xmlns:cp=\"" +
         copy_space + "\"><list>" + inside + "</list></resource-lists>";
}

ResourceList parsed(const std::string& document) {
  ResourceList out;
  const XmlError error = parse_resource_list(document, out);
  EXPECT_FALSE(error) << to_string(error);
  return out;
}

Recipients recipients(const std::string& inside, CopyControl missing = CopyControl::to) {
  const std::vector<ResourceList> lists = {parsed(list(inside))};
  return recipients_of(lists, {.missing = missing});
}

std::string list_complaint(const std::string& document) {
  ResourceList out;
  const XmlError error = parse_resource_list(document, out);
  return error ? to_string(error) : "no complaint";
}

// "to sip:a@x, cc sip:b@x"
std::string shown(const std::vector<ListEntry>& entries) {
  std::string text;
  for (const ListEntry& entry : entries) {
    const char* copy = !entry.copy                      ? "-"
                       : *entry.copy == CopyControl::to ? "to"
                       : *entry.copy == CopyControl::cc ? "cc"
                                                        : "bcc";
    text += (text.empty() ? "" : ", ") + std::string(copy) + " " + entry.uri;
    if (entry.count != 1) text += " x" + std::to_string(entry.count);
  }
  return text;
}

// RFC 5364 section 6, figure 3.
const std::string figure_3 =
    "<entry uri=\"sip:bill@example.com\" cp:copyControl=\"to\"/>"
    "<entry uri=\"sip:randy@example.net\" cp:copyControl=\"to\" cp:anonymize=\"true\"/>"
    "<entry uri=\"sip:eddy@example.com\" cp:copyControl=\"to\" cp:anonymize=\"true\"/>"
    "<entry uri=\"sip:joe@example.org\" cp:copyControl=\"cc\"/>"
    "<entry uri=\"sip:carol@example.net\" cp:copyControl=\"cc\" cp:anonymize=\"true\"/>"
    "<entry uri=\"sip:ted@example.net\" cp:copyControl=\"bcc\"/>"
    "<entry uri=\"sip:andy@example.com\" cp:copyControl=\"bcc\"/>";

TEST(ResourceList, R5364_1_the_example_of_rfc_5364) {
  const Recipients all = recipients(figure_3);
  ASSERT_EQ(all.list.size(), 7U);
  EXPECT_EQ(all.list[1].copy, CopyControl::to);
  EXPECT_TRUE(all.list[1].anonymize);
  EXPECT_EQ(all.list[6].copy, CopyControl::bcc);
  std::string out;
  put_resource_list(recipient_history(all), out);
  EXPECT_EQ(out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\" "
            "xmlns:cp=\"urn:ietf:params:xml:ns:copycontrol\"><list>"
            "<entry uri=\"sip:bill@example.com\" cp:copyControl=\"to\"/>"
            "<entry uri=\"sip:anonymous@anonymous.invalid\" cp:copyControl=\"to\" cp:count=\"2\"/>"
            "<entry uri=\"sip:joe@example.org\" cp:copyControl=\"cc\"/>"
            "<entry uri=\"sip:anonymous@anonymous.invalid\" cp:copyControl=\"cc\" cp:count=\"1\"/>"
            "</list></resource-lists>\n");
}

TEST(ResourceList, R5366_1_the_namespace_as_rfc_5366_writes_it_and_attributes_without_one) {
  for (const std::string& document :
       {list("<entry uri='sip:a@x' cp:copyControl='cc'/>", "urn:ietf:params:xml:ns:copyControl"),
        list("<entry uri='sip:a@x' copyControl='CC'/>")}) {
    ASSERT_EQ(parsed(document).entries.size(), 1U);
    EXPECT_EQ(parsed(document).entries[0].copy, CopyControl::cc);
  }
  EXPECT_EQ(parsed(list("<entry uri='sip:a@x' cp:copyControl='cc'/>", "urn:foreign")).entries[0].copy, std::nullopt);
}

TEST(ResourceList, nested_lists_are_one_list_and_display_names_are_kept) {
  const ResourceList lists = parsed(
      "<resource-lists xmlns='urn:ietf:params:xml:ns:resource-lists'><list name='a'><display-name>All</display-name>"
      "<entry uri='sip:bill@example.com'><display-name xml:lang='en'>Bill &amp; Doe</display-name></entry>"
      "<list name='b'><entry uri='sip:joe@example.com'/><list><entry uri='sip:nancy@example.com'/></list></list></list>"
      "<list><entry uri='sip:ann@example.com'/><x:entry xmlns:x='urn:x' "
      "uri='sip:no@example.com'/></list></resource-lists>");
  EXPECT_EQ(shown(lists.entries),
            "- sip:bill@example.com, - sip:joe@example.com, - sip:nancy@example.com, - sip:ann@example.com");
  EXPECT_EQ(lists.entries[0].display_name, "Bill & Doe");
}

TEST(ResourceList, OMA_GRP_6_a_uri_stands_once_under_the_equality_of_rfc_3261) {
  const Recipients all = recipients(
      "<entry uri='sip:alice@EXAMPLE.com' cp:copyControl='bcc'/>"
      "<entry uri='sip:%61lice@example.com' cp:copyControl='to'/>"
      "<entry uri='sip:alice@example.com' cp:copyControl='cc'/>"
      "<entry uri='sip:Alice@example.com' cp:copyControl='cc'/>"
      "<entry uri='sip:alice@example.com;transport=tcp' cp:copyControl='cc'/>");
  ASSERT_EQ(all.list.size(), 3U);
  EXPECT_EQ(all.duplicates, 2U);
  EXPECT_EQ(all.list[0].uri, "sip:alice@EXAMPLE.com");
  EXPECT_EQ(all.list[0].copy, CopyControl::to);  // to before cc before bcc
  EXPECT_EQ(all.list[1].uri, "sip:Alice@example.com");
  EXPECT_EQ(all.list[2].uri, "sip:alice@example.com;transport=tcp");
}

TEST(ResourceList, OMA_GRP_6_anonymity_asked_for_once_is_kept) {
  EXPECT_TRUE(
      recipients(
          "<entry uri='sip:a@x' cp:copyControl='to' cp:anonymize='1'/><entry uri='sip:a@x' cp:copyControl='to'/>")
          .list[0]
          .anonymize);
}

TEST(ResourceList, T_51_who_is_named_by_his_number_too_stands_there_once) {
  Recipients recipients;
  for (const char* const uri : {"tel:+15550100", "sip:bob@example.org", "sip:+15550100@example.org", "tel:+15550199"}) {
    ASSERT_TRUE(recipients.add(uri, CopyControl::to));
  }
  recipients.list[0].display_name = "Carol";
  recipients.list[0].anonymize = true;
  recipients.list[2].copy = CopyControl::bcc;
  recipients.join({{"tel:+15550100", "sip:+15550100@example.org"}});
  ASSERT_EQ(recipients.list.size(), 3U);
  EXPECT_EQ(recipients.list[0].uri, "sip:bob@example.org");
  EXPECT_FALSE(recipients.list[0].anonymize);
  EXPECT_EQ(recipients.list[1].uri, "sip:+15550100@example.org");
  EXPECT_EQ(recipients.list[1].display_name, "Carol");
  EXPECT_EQ(recipients.list[1].copy, CopyControl::to);
  EXPECT_TRUE(recipients.list[1].anonymize);
  EXPECT_EQ(recipients.list[2].uri, "tel:+15550199");
  EXPECT_EQ(recipients.duplicates, 1U);
}

TEST(ResourceList, R5363_1_several_lists_of_a_request_are_one) {
  const std::vector<ResourceList> lists = {parsed(list("<entry uri='sip:a@x'/><entry uri='sip:b@x'/>")),
                                           parsed(list("<entry uri='sip:b@x'/><entry uri='sip:c@x'/>"))};
  const Recipients all = recipients_of(lists, {});
  EXPECT_EQ(all.list.size(), 3U);
  EXPECT_EQ(all.duplicates, 1U);
}

TEST(ResourceList, OMA_GRP_6_a_missing_copy_control_is_what_the_knob_says_and_not_told_to_others) {
  const std::string two = "<entry uri='sip:a@x'/><entry uri='sip:b@x' cp:copyControl='to'/>";
  EXPECT_EQ(recipients(two, CopyControl::to).list[0].copy, CopyControl::to);
  EXPECT_EQ(recipients(two, CopyControl::bcc).list[0].copy, CopyControl::bcc);
  for (const CopyControl missing : {CopyControl::to, CopyControl::bcc}) {
    EXPECT_EQ(shown(recipient_history(recipients(two, missing))), "to sip:b@x");
    EXPECT_EQ(shown(recipient_history(recipients(two, missing), "sip:a@x", true)), "to sip:b@x");
  }
  // A value that is none tells nobody either.
  EXPECT_EQ(shown(recipient_history(recipients("<entry uri='sip:a@x' cp:copyControl='shout'/>"))), "");
  // What is said of the same URI elsewhere counts.
  EXPECT_EQ(shown(recipient_history(recipients("<entry uri='sip:a@x'/><entry uri='sip:a@x' cp:copyControl='cc'/>"))),
            "cc sip:a@x");
}

TEST(ResourceList, OMA_GRP_7_bcc_is_told_to_nobody_but_himself) {
  const Recipients all = recipients(figure_3);
  const std::string others =
      "to sip:bill@example.com, to sip:anonymous@anonymous.invalid x2, cc sip:joe@example.org, cc "
      "sip:anonymous@anonymous.invalid";
  EXPECT_EQ(shown(recipient_history(all, "sip:ted@example.net", false)), others);
  EXPECT_EQ(shown(recipient_history(all, "sip:ted@example.net", true)), others + ", bcc sip:ted@example.net");
  EXPECT_EQ(shown(recipient_history(all, "sip:bill@example.com", true)), others);
  // bcc goes before anonymize (RFC 5364 section 4).
  EXPECT_EQ(shown(recipient_history(recipients("<entry uri='sip:a@x' cp:copyControl='bcc' cp:anonymize='true'/>"))),
            "");
}

TEST(ResourceList, OMA_GRP_7_a_history_can_be_read_as_a_list) {
  std::string out;
  put_resource_list(recipient_history(recipients(figure_3)), out);
  const ResourceList again = parsed(out);
  EXPECT_EQ(again.entries, recipient_history(recipients(figure_3)));
}

TEST(ResourceList, OMA_GRP_8_what_cannot_be_sent_to_is_remembered_as_failed) {
  const Recipients some = recipients(
      "<entry uri='mailto:a@x'/><entry uri='no uri'/><external anchor='http://xcap/list'/>"
      "<entry-ref ref='resource-lists/users/a'/><entry uri='tel:+15551234'/>");
  EXPECT_EQ(some.list.size(), 1U);
  EXPECT_EQ(some.failed,
            (std::vector<std::string>{"http://xcap/list", "resource-lists/users/a", "mailto:a@x", "no uri"}));
  EXPECT_FALSE(some.all_failed());
  EXPECT_TRUE(recipients("<entry uri='http://x'/>").all_failed());
  EXPECT_FALSE(recipients("").all_failed());
}

TEST(ResourceList, OMA_GRP_8_a_list_that_cannot_be_read_is_an_error) {
  EXPECT_EQ(list_complaint("<resource-lists/>"), "line 1: is no resource-lists document");
  EXPECT_EQ(list_complaint("<list xmlns='urn:ietf:params:xml:ns:resource-lists'/>"),
            "line 1: is no resource-lists document");
  EXPECT_EQ(list_complaint(list("\n<entry/>")), "line 3: <entry> has no uri");
  EXPECT_EQ(list_complaint(list("<entry uri=''/>")), "line 2: <entry> has no uri");
  EXPECT_EQ(list_complaint(list("<entry uri='sip:a@x' cp:anonymize='perhaps'/>")),
            "line 2: <entry> has an anonymize that is neither true nor false");
  EXPECT_EQ(list_complaint(list("<entry uri='sip:a@x' cp:count='many'/>")), "line 2: <entry> has a count that is no number");
  EXPECT_EQ(list_complaint("<!DOCTYPE x [<!ENTITY y 'z'>]>" + list("<entry uri='sip:&y;@x'/>")),
            "line 1: has a DOCTYPE or other declaration, which is not allowed");
  EXPECT_EQ(list_complaint(list("")), "no complaint");
}

TEST(ResourceList, OMA_GRP_5_entries_are_counted_without_copies_and_without_the_inviter) {
  Recipients all =
      recipients("<entry uri='sip:a@x'/><entry uri='sip:b@x'/><entry uri='sip:a@x'/><entry uri='sip:me@x'/>");
  EXPECT_EQ(all.count_without(std::vector<std::string>{"sip:me@x", "tel:+1"}), 2U);
  EXPECT_TRUE(all.remove(user_key("sip:me@X")));
  EXPECT_FALSE(all.remove("sip:me@x"));
  EXPECT_EQ(all.list.size(), 2U);
}

TEST(ResourceList, OMA_GRP_5_more_entries_than_any_list_may_have_are_counted_and_not_kept) {
  std::string inside;
  for (std::size_t n = 0; n < list_entries_max + 7; ++n) inside += "<entry uri='sip:u" + std::to_string(n) + "@x'/>";
  const ResourceList big = parsed(list(inside));
  EXPECT_EQ(big.entries.size(), list_entries_max);
  EXPECT_EQ(big.left_out, 7U);
  const std::vector<ResourceList> twice = {big, big};
  const Recipients all = recipients_of(twice, {});
  EXPECT_EQ(all.list.size(), list_entries_max);
  EXPECT_EQ(all.left_out, 14U + list_entries_max);
}

TEST(ResourceList, R5368_1_a_refer_to_one_user_is_a_list_of_one) {
  Recipients all;
  EXPECT_TRUE(all.add("sip:a@x", CopyControl::to));
  EXPECT_FALSE(all.add("sip:a@X", CopyControl::to));
  EXPECT_TRUE(all.add("http://x", CopyControl::to));
  EXPECT_EQ(all.list.size(), 1U);
  EXPECT_EQ(all.failed.size(), 1U);
}

TEST(ResourceList, R5365_1_headers_of_a_uri_are_for_its_own_request_alone) {
  const Recipients all = recipients("<entry uri='sip:a@x?Subject=secret' cp:copyControl='to'/>");
  EXPECT_EQ(all.list[0].uri, "sip:a@x?Subject=secret");
  EXPECT_EQ(shown(recipient_history(all)), "to sip:a@x");
}

TEST(UserKey, T_8_a_number_is_one_user_in_both_schemes) {
  EXPECT_EQ(user_key("tel:+1-212-555-1234"), "tel:+12125551234");
  EXPECT_EQ(user_key("sip:+12125551234@example.com;user=phone"), "tel:+12125551234");
  EXPECT_EQ(user_key("sip:+12125551234@example.com"), "sip:+12125551234@example.com");
  EXPECT_EQ(user_key("SIPS:alice@Example.COM:5061;transport=tls"), "sip:alice@example.com");
  EXPECT_NE(user_key("tel:911;phone-context=+1"), user_key("tel:911;phone-context=+44"));
  EXPECT_EQ(user_key("mailto:a@x"), "");
  EXPECT_EQ(user_key("alice"), "");
}

}  // namespace
}  // namespace parley::policy
