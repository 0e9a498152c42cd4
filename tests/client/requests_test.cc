// What the client's requests and answers contain, id by id.
#include "tools/parley/requests.h"

#include "policy/resource_list.h"
#include "sip/content_type.h"
#include "sip/multipart.h"
#include "sip/value.h"
#include "tests/client/lines.h"

namespace parley::tests {
namespace {

using namespace client;
using sip::HeaderId;

SessionWish wish(SessionKind kind = SessionKind::chat) {
  SessionWish wish;
  wish.kind = kind;
  wish.to = "sip:bob@example.org";
  wish.sdp = "v=0\r\n";
  wish.timer = {.on = true, .expires = {1800, sip::Refresher::uac}};
  return wish;
}

struct Parts {
  std::string body;
  sip::Multipart list;
  [[nodiscard]] std::string_view type(std::size_t i) const { return list.parts[i].content_type.of(body); }
  [[nodiscard]] std::string_view disposition(std::size_t i) const { return list.parts[i].content_disposition.of(body); }
  [[nodiscard]] std::string_view content(std::size_t i) const { return list.parts[i].body.of(body); }
};
Parts parts_of(const Lines& lines) {
  Parts parts;
  parts.body = lines.body;
  sip::ContentType type;
  EXPECT_TRUE(sip::parse_content_type(lines.content_type, type));
  EXPECT_EQ(type.type, "multipart");
  EXPECT_EQ(sip::parse_multipart(parts.body, sip::find_param(type.parameters, "boundary"), parts.list),
            sip::MultipartError::none);
  return parts;
}

// --- sessions

TEST(SessionInvite, SEED1_7_1_1_1_0_without_a_list_the_body_is_the_description_alone) {
  const Request request = session_invite(alice(), wish());
  EXPECT_EQ(request.name, "INVITE");
  EXPECT_EQ(request.uri, "sip:bob@example.org");
  EXPECT_EQ(request.lines.content_type, "application/sdp");
  EXPECT_EQ(request.lines.body, "v=0\r\n");
  EXPECT_EQ(line(request, HeaderId::require), "");
}

TEST(SessionInvite, SEED3_7_1_1_1_1_SEED1_7_1_1_1_1_DEC_5_the_im_tag_alone_in_accept_contact) {
  EXPECT_EQ(line(session_invite(alice(), wish()), HeaderId::accept_contact), "*;+g.oma.sip-im");
}

TEST(SessionInvite, SEED3_7_1_1_1_2_SEED1_7_1_1_1_2_user_agent_says_the_release) {
  const Request request = session_invite(alice(), wish());
  EXPECT_EQ(line(request, HeaderId::user_agent), "IM-client/OMA1.0 parley/0.1.0");
  EXPECT_EQ(line(request, HeaderId::server), "");  // OMA-ID-3
}

TEST(SessionInvite, SEED3_7_1_1_1_3_SEED1_7_1_1_1_3_allow_lists_all_methods) {
  const std::string allow = line(session_invite(alice(), wish()), HeaderId::allow);
  sip::MethodSet set;
  sip::add_methods(allow, set);
  for (const sip::Method method :
       {sip::Method::invite, sip::Method::ack, sip::Method::cancel, sip::Method::bye, sip::Method::options,
        sip::Method::message, sip::Method::notify, sip::Method::update}) {
    EXPECT_TRUE(set.has(method)) << allow;
  }
}

TEST(SessionInvite, SEED3_7_1_1_1_4_SEED1_7_1_1_1_4_the_tag_stands_outside_the_brackets_of_contact) {
  EXPECT_EQ(line(session_invite(alice(), wish()), HeaderId::contact), "<sip:alice@192.0.2.1:40000>;+g.oma.sip-im");
}

TEST(SessionInvite, SEED3_7_1_1_1_5_SEED1_7_1_1_1_5_privacy_where_anonymity_is_wanted_and_nowhere_else) {
  EXPECT_EQ(line(session_invite(anonymous(), wish()), HeaderId::privacy), "id");
  EXPECT_EQ(line(session_invite(alice(), wish()), HeaderId::privacy), "");
}

TEST(SessionInvite, SEED3_7_1_1_1_6_SEED1_7_1_1_1_6_timer_is_supported) {
  sip::OptionSet set;
  sip::add_options(line(session_invite(alice(), wish()), HeaderId::supported), set);
  EXPECT_TRUE(set.has(sip::OptionTag::timer));
}

TEST(SessionInvite, SEED3_7_1_1_1_7_SEED1_7_1_1_1_7_we_offer_to_refresh) {
  EXPECT_EQ(line(session_invite(alice(), wish()), HeaderId::session_expires), "1800;refresher=uac");
}

TEST(SessionInvite, SEED3_7_1_1_1_8_OMA_ALIAS_1_an_anonymous_joiner_shows_his_alias_and_nothing_of_himself) {
  const Request request = session_invite(anonymous(), wish());
  EXPECT_EQ(request.from, "\"Foxy\" <sip:anonymous@anonymous.invalid>");
  EXPECT_EQ(line(request, HeaderId::p_preferred_identity), "\"Foxy\" <sip:alice@example.org>");
}

TEST(SessionInvite, SEED3_7_1_1_1_9_the_display_name_is_a_quoted_string) {
  const Request request = session_invite(alice(), wish());
  EXPECT_EQ(request.from, "\"Alice \\\"A\\\"\" <sip:alice@example.org>");
  EXPECT_EQ(line(request, HeaderId::p_preferred_identity), "\"Alice \\\"A\\\"\" <sip:alice@example.org>");
}

TEST(SessionInvite, R5366_1_a_list_goes_with_the_description) {
  SessionWish group = wish();
  group.to = "sip:factory@example.org";
  group.recipients = {"sip:bob@example.org", "sip:carol@example.org?a=b&c=d"};
  const Request request = session_invite(alice(), group);
  EXPECT_EQ(line(request, HeaderId::require), "recipient-list-invite");
  const Parts parts = parts_of(request.lines);
  ASSERT_EQ(parts.list.count, 2);
  EXPECT_EQ(parts.type(0), "application/sdp");
  EXPECT_EQ(parts.content(0), "v=0\r\n");
  EXPECT_EQ(parts.type(1), "application/resource-lists+xml");
  EXPECT_EQ(parts.disposition(1), "recipient-list");
  policy::ResourceList list;
  ASSERT_FALSE(policy::parse_resource_list(parts.content(1), list));
  ASSERT_EQ(list.entries.size(), 2U);
  EXPECT_EQ(list.entries[1].uri, "sip:carol@example.org?a=b&c=d");
  EXPECT_EQ(list.entries[0].copy, policy::CopyControl::to);  // OMA-GRP-6
}

TEST(LargeMessage, SEED3_9_1_1_1_0_it_is_an_invite_with_a_description) {
  const Request request = session_invite(alice(), wish(SessionKind::large));
  EXPECT_EQ(request.method, sip::Method::invite);
  EXPECT_EQ(request.lines.content_type, "application/sdp");
}

TEST(LargeMessage, SEED3_9_1_1_1_1_DEC_5_both_tags_in_accept_contact) {
  EXPECT_EQ(line(session_invite(alice(), wish(SessionKind::large)), HeaderId::accept_contact),
            "*;+g.oma.sip-im;+g.oma.sip-im.large-message");
}

TEST(LargeMessage, SEED3_9_1_1_1_2_user_agent) {
  EXPECT_EQ(line(session_invite(alice(), wish(SessionKind::large)), HeaderId::user_agent),
            "IM-client/OMA1.0 parley/0.1.0");
}

TEST(LargeMessage, SEED3_9_1_1_1_3_DEC_5_both_tags_in_contact) {
  EXPECT_EQ(line(session_invite(alice(), wish(SessionKind::large)), HeaderId::contact),
            "<sip:alice@192.0.2.1:40000>;+g.oma.sip-im;+g.oma.sip-im.large-message");
}

TEST(LargeMessage, SEED3_9_1_1_1_4_privacy) {
  EXPECT_EQ(line(session_invite(anonymous(), wish(SessionKind::large)), HeaderId::privacy), "id");
}

TEST(LargeMessage, SEED3_9_1_1_1_5_SEED3_9_1_1_1_6_session_timer) {
  const Request request = session_invite(alice(), wish(SessionKind::large));
  EXPECT_NE(line(request, HeaderId::supported).find("timer"), std::string::npos);
  EXPECT_EQ(line(request, HeaderId::session_expires), "1800;refresher=uac");
}

// --- answers

TEST(InviteAnswer, SEED0_8_2_2_1_6_every_response_has_server) {
  for (const std::uint16_t status : std::initializer_list<std::uint16_t>{180, 200, 486, 603}) {
    const Lines lines = invite_answer(alice(), status, SessionKind::chat, {}, {});
    EXPECT_EQ(line(lines, HeaderId::server), "IM-client/OMA1.0 parley/0.1.0") << status;
    EXPECT_EQ(line(lines, HeaderId::user_agent), "") << status;  // OMA-ID-3
  }
}

TEST(InviteAnswer, SEED0_8_2_2_1_7_every_response_has_allow) {
  for (const std::uint16_t status : std::initializer_list<std::uint16_t>{180, 200, 486}) {
    EXPECT_EQ(line(invite_answer(alice(), status, SessionKind::chat, {}, {}), HeaderId::allow), own_methods) << status;
  }
}

TEST(InviteAnswer, SEED0_8_2_2_1_8_every_response_says_who_answers) {
  for (const std::uint16_t status : std::initializer_list<std::uint16_t>{180, 200, 486}) {
    EXPECT_EQ(line(invite_answer(alice(), status, SessionKind::chat, {}, {}), HeaderId::p_preferred_identity),
              "\"Alice \\\"A\\\"\" <sip:alice@example.org>")
        << status;
  }
}

TEST(InviteAnswer, OMA_ID_1_R4028_2_contact_tag_and_granted_timer) {
  sip::TimerGrant grant;
  grant.on = true;
  grant.require = true;
  grant.expires = {900, sip::Refresher::uac};
  const Lines lines = invite_answer(alice(), 200, SessionKind::chat, grant, "v=0\r\n");
  EXPECT_EQ(line(lines, HeaderId::contact), "<sip:alice@192.0.2.1:40000>;+g.oma.sip-im");
  EXPECT_EQ(line(lines, HeaderId::session_expires), "900;refresher=uac");
  EXPECT_EQ(line(lines, HeaderId::require), "timer");
  EXPECT_EQ(lines.content_type, "application/sdp");
  EXPECT_EQ(line(invite_answer(alice(), 486, SessionKind::chat, grant, {}), HeaderId::contact), "");
}

// --- pager mode

PagerWish pager() {
  PagerWish wish;
  wish.to = {"sip:bob@example.org"};
  wish.factory = "sip:factory@example.org";
  wish.content_type = "text/plain";
  wish.body = "hello";
  return wish;
}

TEST(PagerMessage, SEED3_8_1_1_1_accept_contact) {
  EXPECT_EQ(line(pager_message(alice(), pager()), HeaderId::accept_contact), "*;+g.oma.sip-im");
}

TEST(PagerMessage, SEED3_8_1_1_2_who_sends_it) {
  EXPECT_EQ(line(pager_message(alice(), pager()), HeaderId::p_preferred_identity),
            "\"Alice \\\"A\\\"\" <sip:alice@example.org>");
}

TEST(PagerMessage, SEED3_8_1_1_3_user_agent) {
  EXPECT_EQ(line(pager_message(alice(), pager()), HeaderId::user_agent), "IM-client/OMA1.0 parley/0.1.0");
}

TEST(PagerMessage, SEED3_8_1_1_4_privacy) {
  EXPECT_EQ(line(pager_message(anonymous(), pager()), HeaderId::privacy), "id");
  EXPECT_EQ(line(pager_message(alice(), pager()), HeaderId::privacy), "");
}

TEST(PagerMessage, SEED3_8_1_1_5_SEED3_8_1_1_7a_one_recipient_or_group_is_the_request_uri) {
  const Request request = pager_message(alice(), pager());
  EXPECT_EQ(request.uri, "sip:bob@example.org");
  EXPECT_EQ(request.lines.content_type, "text/plain");
  EXPECT_EQ(request.lines.body, "hello");
}

TEST(PagerMessage, SEED3_8_1_1_6_SEED3_8_1_1_6a_several_recipients_are_a_list_beside_the_text) {
  PagerWish several = pager();
  several.to = {"sip:bob@example.org", "sip:carol@example.org"};
  const Request request = pager_message(alice(), several);
  EXPECT_EQ(line(request, HeaderId::require), "recipient-list-message");
  const Parts parts = parts_of(request.lines);
  ASSERT_EQ(parts.list.count, 2);
  EXPECT_EQ(parts.type(0), "text/plain");
  EXPECT_EQ(parts.content(0), "hello");
  EXPECT_EQ(parts.disposition(1), "recipient-list");
  policy::ResourceList list;
  ASSERT_FALSE(policy::parse_resource_list(parts.content(1), list));
  EXPECT_EQ(list.entries.size(), 2U);
}

TEST(PagerMessage, SEED3_8_1_1_6b_SEED3_8_1_1_6c_a_list_goes_to_the_factory) {
  PagerWish several = pager();
  several.to = {"sip:bob@example.org", "sip:carol@example.org"};
  EXPECT_EQ(pager_message(alice(), several).uri, "sip:factory@example.org;sessiontype=adhoc");
}

TEST(PagerMessage, SEED3_8_1_1_8_SEED3_8_1_1_N2_R4538_1_into_a_session_with_its_dialog) {
  PagerWish inside = pager();
  inside.to = {"sip:conf1@focus.example.org"};
  inside.target_dialog = "call;local-tag=a;remote-tag=b";
  const Request request = pager_message(alice(), inside);
  EXPECT_EQ(request.uri, "sip:conf1@focus.example.org");
  EXPECT_EQ(line(request, HeaderId::target_dialog), "call;local-tag=a;remote-tag=b");
  EXPECT_EQ(line(request, HeaderId::require), "tdialog");
}

TEST(PagerMessage, SEED3_8_1_1_9_it_may_point_to_content_elsewhere) {
  PagerWish outside = pager();
  outside.content_type = "message/external-body;access-type=\"URL\";URL=\"https://example.org/x\"";
  outside.body = "Content-Type: image/png\r\nContent-Disposition: attachment\r\n\r\n";
  const Request request = pager_message(alice(), outside);
  EXPECT_EQ(request.lines.content_type, outside.content_type);
  EXPECT_EQ(request.lines.body, outside.body);
}

TEST(PagerMessage, R3428_1_no_contact) { EXPECT_EQ(line(pager_message(alice(), pager()), HeaderId::contact), ""); }

// --- settings

TEST(Settings, SEED3_5_2_4_1_to_7_the_publish) {
  const Request request = publish_settings(alice(), {.document = "<x/>", .etag = {}, .expires = 600'000});
  EXPECT_EQ(request.name, "PUBLISH");               // SEED3-5.2.4-1
  EXPECT_EQ(request.uri, "sip:alice@example.org");  // SEED3-5.2.4-2
  EXPECT_EQ(line(request, HeaderId::p_preferred_identity),
            "\"Alice \\\"A\\\"\" <sip:alice@example.org>");                         // SEED3-5.2.4-3
  EXPECT_EQ(line(request, HeaderId::accept_contact), "*;+g.oma.sip-im");            // SEED3-5.2.4-4
  EXPECT_EQ(line(request, HeaderId::user_agent), "IM-client/OMA1.0 parley/0.1.0");  // SEED3-5.2.4-5
  EXPECT_EQ(line(request, HeaderId::event), "poc-settings");                        // SEED3-5.2.4-6
  EXPECT_EQ(line(request, HeaderId::expires), "600000");                            // SEED3-5.2.4-7
  EXPECT_EQ(request.lines.content_type, "application/poc-settings+xml");            // SEED3-5.2.4-8
  EXPECT_EQ(request.lines.body, "<x/>");
  EXPECT_EQ(line(request, HeaderId::sip_if_match), "");
}

TEST(Settings, R3903_1_a_refresh_has_the_tag_and_no_body) {
  const Request request = publish_settings(alice(), {.document = {}, .etag = "e1", .expires = 3600});
  EXPECT_EQ(line(request, HeaderId::sip_if_match), "e1");
  EXPECT_EQ(request.lines.body, "");
  EXPECT_EQ(request.lines.content_type, "");
}

// --- events, REFER, registration

TEST(Conference, SEED1_7_1_1_1_11_SEED3_7_1_1_1_13_OMA_CONF_1_subscribe_to_the_session_identity) {
  const Request request = subscribe_conference(alice(), "sip:conf1@focus", {}, 3600);
  EXPECT_EQ(request.uri, "sip:conf1@focus");
  EXPECT_EQ(line(request, HeaderId::event), "conference");
  EXPECT_EQ(line(request, HeaderId::accept), "application/conference-info+xml");
  EXPECT_EQ(line(request, HeaderId::expires), "3600");
}

TEST(Refer, OMA_SES_6_one_user) {
  const Lines lines = refer_add(alice(), {"sip:dave@example.org"});
  EXPECT_EQ(line(lines, HeaderId::refer_to), "<sip:dave@example.org>");
  EXPECT_EQ(line(lines, HeaderId::refer_sub), "false");
  EXPECT_EQ(line(lines, HeaderId::require), "");
}

TEST(Refer, R5368_1_several_users_by_a_list) {
  const Lines lines = refer_add(alice(), {"sip:dave@example.org", "sip:eve@example.org"});
  EXPECT_EQ(line(lines, HeaderId::require), "multiple-refer, norefersub");
  EXPECT_EQ(line(lines, HeaderId::refer_sub), "false");
  const std::string refer_to = line(lines, HeaderId::refer_to);
  ASSERT_TRUE(refer_to.starts_with("<cid:"));
  EXPECT_TRUE(sip::same_content_id(line(lines, HeaderId::content_id), refer_to.substr(5, refer_to.size() - 6)));
  policy::ResourceList list;
  ASSERT_FALSE(policy::parse_resource_list(lines.body, list));
  EXPECT_EQ(list.entries.size(), 2U);
}

TEST(Refer, OMA_SES_7_expelling) {
  EXPECT_EQ(line(refer_expel(alice(), "sip:dave@example.org"), HeaderId::refer_to),
            "<sip:dave@example.org;method=BYE>");
}

TEST(Register, OMA_REG_1_OMA_REG_2_the_binding_says_what_it_can) {
  Self self = alice();
  self.flows = true;
  const Request request = register_request(self, {.registrar = "sip:example.org", .expires = 3600});
  EXPECT_EQ(request.uri, "sip:example.org");
  EXPECT_EQ(request.to, "<sip:alice@example.org>");
  const std::string contact = line(request, HeaderId::contact);
  EXPECT_NE(contact.find(";ob>"), std::string::npos);
  EXPECT_NE(contact.find(";reg-id=1"), std::string::npos);
  EXPECT_NE(contact.find(";+sip.instance=\"<urn:uuid:"), std::string::npos);
  EXPECT_NE(contact.find(";+g.oma.sip-im;"), std::string::npos);
}

TEST(Register, an_anonymous_user_registers_under_his_name) {
  EXPECT_EQ(register_request(anonymous(), {.registrar = "sip:example.org", .expires = 1}).from,
            "\"Alice \\\"A\\\"\" <sip:alice@example.org>");
}

TEST(Bodies, a_boundary_that_stands_in_a_part_is_not_taken) {
  std::string type;
  const std::string body = multipart({{"text/plain", {}, {}, "--parley-part\r\n--parley-part-x"}}, type);
  sip::ContentType read;
  ASSERT_TRUE(sip::parse_content_type(type, read));
  sip::Multipart parts;
  ASSERT_EQ(sip::parse_multipart(body, sip::find_param(read.parameters, "boundary"), parts), sip::MultipartError::none);
  ASSERT_EQ(parts.count, 1);
  EXPECT_EQ(parts.parts[0].body.of(body), "--parley-part\r\n--parley-part-x");
}

TEST(Names, control_characters_do_not_get_into_headers) {
  EXPECT_EQ(quoted_name("a\r\nb: c"), "\"ab: c\" ");
  EXPECT_EQ(quoted_name(""), "");
}

TEST(CanBeCalled, what_would_go_on_in_the_next_line_of_a_request_is_no_uri) {
  using namespace std::string_view_literals;
  for (const std::string_view end : {"\r\n"sv, "\r"sv, "\n"sv, "\r\nRoute: <sip:x>"sv, "\0"sv}) {
    for (const char* start : {"sip:bob@example.org", "sip:bob@example.org;a=b", "sip:bob@example.org;a", "sip:bob;c=d",
                              "sip:bob", "tel:+49301;phone-context=example.org", "sips:bob@[2001:db8::1];a=b"}) {
      EXPECT_TRUE(can_be_called(start)) << start;
      const std::string text = std::string(start).append(end);
      EXPECT_FALSE(can_be_called(text)) << text;
      EXPECT_FALSE(can_be_called(text + "@example.org")) << text;
    }
  }
  EXPECT_TRUE(can_be_called("sip:bob@example.org;a=%0d%0a")) << "escaped it stays in its line";
}

}  // namespace
}  // namespace parley::tests
