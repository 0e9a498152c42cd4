// tests/policy/poc_settings_test.cc - settings documents: what they say, alone and together, and how they are written.
#include "policy/poc_settings.h"

#include <gtest/gtest.h>

#include <string>

namespace parley::policy {
namespace {

constexpr std::string_view canonical =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<poc-settings xmlns=\"urn:oma:params:xml:ns:poc:poc-settings\" xmlns:im=\"urn:oma:xml:im:service-settings\">"
    "<entity id=\"epa-7f3a\">"
    "<isb-settings><incoming-session-barring active=\"true\"/></isb-settings>"
    "<am-settings><answer-mode>automatic</answer-mode></am-settings>"
    "<ipab-settings><incoming-personal-alert-barring active=\"false\"/></ipab-settings>"
    "<sss-settings><simultaneous-sessions-support active=\"false\"/></sss-settings>"
    "<im:vis-settings><im:vis-status active=\"false\"/></im:vis-settings>"
    "<im:deferred-settings><im:offline-delivery active=\"false\"/></im:deferred-settings>"
    "<im:hist-settings>"
    "<im:hist-activation type=\"session-mode\" active=\"true\"/>"
    "<im:hist-activation type=\"pager-large-mode\" active=\"false\"/>"
    "</im:hist-settings>"
    "<im:ft-settings><im:incoming-file-transfer-barring active=\"true\"/></im:ft-settings>"
    "</entity></poc-settings>\n";

PocEntity canonical_entity() {
  PocEntity entity;
  entity.id = "epa-7f3a";
  entity.session_barred = true;
  entity.answer_mode = AnswerMode::automatic;
  entity.pager_large_barred = false;
  entity.simultaneous_sessions = false;
  entity.invisible = true;
  entity.offline_delivery = false;
  entity.history_session = true;
  entity.history_pager_large = false;
  entity.file_transfer_barred = true;
  return entity;
}

PocEntity read(const std::string& inside, const std::string& root_attributes = "") {
  PocSettings settings;
  const std::string document =
      "<poc-settings xmlns='urn:oma:params:xml:ns:poc:poc-settings' xmlns:im='urn:oma:xml:im:service-settings' " +
      root_attributes + "><entity id='e'>" + inside + "</entity></poc-settings>";
  const XmlError error = parse_poc_settings(document, settings);
  EXPECT_FALSE(error) << to_string(error) << " in " << inside;
  return settings.entities.empty() ? PocEntity() : settings.entities.front();
}

std::string settings_complaint(const std::string& document) {
  PocSettings settings;
  settings.entities.resize(1);
  const XmlError error = parse_poc_settings(document, settings);
  EXPECT_TRUE(!error || settings.entities.empty());  // all or nothing
  return error ? to_string(error) : "no complaint";
}

PocEntity says(std::string id, std::optional<bool> PocEntity::*value, bool active) {
  PocEntity entity;
  entity.id = std::move(id);
  entity.*value = active;
  return entity;
}

// OMA-SET-3, OMA-SET-5, OMA-SET-6.
TEST(PocSettings, SEED3_5_2_4_8_the_canonical_document_says_all_seven_settings) {
  PocSettings settings;
  ASSERT_FALSE(parse_poc_settings(canonical, settings));
  ASSERT_EQ(settings.entities.size(), 1U);
  EXPECT_EQ(settings.entities[0], canonical_entity());
}

TEST(PocSettings, OMA_SET_10_it_is_written_as_it_was_read) {
  std::string out;
  put_poc_settings({{canonical_entity()}}, out);
  EXPECT_EQ(out, canonical);
}

TEST(PocSettings, OMA_SET_2_the_example_of_rfc_4354) {
  PocSettings settings;
  ASSERT_FALSE(
      parse_poc_settings("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                         "<poc-settings xmlns=\"urn:oma:params:xml:ns:poc:poc-settings\">\n"
                         " <entity id=\"do39s8zksn2d98x\">\n"
                         "  <isb-settings><incoming-session-barring active=\"true\"/></isb-settings>\n"
                         "  <am-settings><answer-mode>automatic</answer-mode></am-settings>\n"
                         "  <ipab-settings><incoming-personal-alert-barring active=\"false\"/></ipab-settings>\n"
                         "  <sss-settings><simultaneous-sessions-support active=\"true\"/></sss-settings>\n"
                         " </entity>\n"
                         "</poc-settings>",
                         settings));
  ASSERT_EQ(settings.entities.size(), 1U);
  const PocEntity& entity = settings.entities[0];
  EXPECT_EQ(entity.id, "do39s8zksn2d98x");
  EXPECT_EQ(entity.session_barred, true);
  EXPECT_EQ(entity.answer_mode, AnswerMode::automatic);
  EXPECT_EQ(entity.pager_large_barred, false);
  EXPECT_EQ(entity.simultaneous_sessions, true);
  EXPECT_EQ(entity.invisible, std::nullopt);
  EXPECT_EQ(entity.history_session, std::nullopt);
}

TEST(PocSettings, OMA_SET_2_active_is_any_xs_boolean) {
  for (const char* yes : {"true", "1"}) {
    EXPECT_EQ(read(std::string("<isb-settings><incoming-session-barring active='") + yes + "'/></isb-settings>")
                  .session_barred,
              true);
  }
  for (const char* no : {"false", "0"}) {
    EXPECT_EQ(read(std::string("<isb-settings><incoming-session-barring active='") + no + "'/></isb-settings>")
                  .session_barred,
              false);
  }
}

TEST(PocSettings, OMA_SET_4_names_count_in_either_namespace_or_none) {
  EXPECT_EQ(read("<vis-settings><vis-status active='false'/></vis-settings>").invisible, true);
  EXPECT_EQ(read("<im:isb-settings><im:incoming-session-barring active='1'/></im:isb-settings>").session_barred, true);
  EXPECT_EQ(
      read("<x xmlns=''/><isb-settings xmlns=''><incoming-session-barring active='1'/></isb-settings>").session_barred,
      true);
  EXPECT_EQ(read("<im:offline-delivery active='0'/>").offline_delivery, false);  // without its holder
  EXPECT_EQ(read("<im:deferred-settings><im:offline-delivery>false</im:offline-delivery></im:deferred-settings>")
                .offline_delivery,
            false);
  PocSettings settings;
  EXPECT_FALSE(
      parse_poc_settings("<poc-settings><entity><isb-settings><incoming-session-barring "
                         "active='1'/></isb-settings></entity></poc-settings>",
                         settings));
  ASSERT_EQ(settings.entities.size(), 1U);
  EXPECT_EQ(settings.entities[0].session_barred, true);
  EXPECT_EQ(settings.entities[0].id, "");
}

TEST(PocSettings, DEC_18_history_under_both_names_and_all_ways_to_say_its_kind) {
  for (const std::string holder : {"im:hist-settings", "im:his-settings"}) {
    const PocEntity entity = read("<" + holder +
                                  "><im:hist-activation type='session-mode' active='true'/>"
                                  "<im:hist-activation mode='pager-large-mode' active='true'/></" +
                                  holder + ">");
    EXPECT_EQ(entity.history_session, true) << holder;
    EXPECT_EQ(entity.history_pager_large, true) << holder;
    EXPECT_EQ(entity.extension, "");
  }
  EXPECT_EQ(
      read(
          "<im:hist-settings><im:hist-activation active='1'><im:session-mode/></im:hist-activation></im:hist-settings>")
          .history_session,
      true);
  EXPECT_EQ(read("<im:hist-settings><im:hist-activation><im:pager-large-mode "
                 "active='1'/></im:hist-activation></im:hist-settings>")
                .history_pager_large,
            true);
  EXPECT_EQ(read("<im:hist-settings><im:hist-activation><im:session-mode>true</im:session-mode></im:hist-activation></"
                 "im:hist-settings>")
                .history_session,
            true);
  EXPECT_EQ(
      read("<im:hist-settings><im:hist-activation type='session-mode'>false</im:hist-activation></im:hist-settings>")
          .history_session,
      false);
  const PocEntity unknown = read("<im:hist-settings><im:hist-activation type='video' active='1'/></im:hist-settings>");
  EXPECT_EQ(unknown.history_session, std::nullopt);
  EXPECT_NE(unknown.extension.find("video"), std::string::npos);
}

TEST(PocSettings, OMA_SET_4_what_is_not_known_is_kept_and_published_again) {
  const PocEntity entity = read(
      "<v:own xmlns:v='urn:vendor' v:a='1'><v:b>&lt;</v:b></v:own>"
      "<isb-settings><incoming-session-barring active='1'/></isb-settings>");
  EXPECT_EQ(entity.session_barred, true);
  std::string out;
  put_poc_settings({{entity}}, out);
  XmlDocument document;
  ASSERT_FALSE(document.parse(out)) << out;
  const XmlElement own = document.root().first_child().child("urn:vendor", "own");
  ASSERT_TRUE(own) << out;
  EXPECT_EQ(own.attribute("urn:vendor", "a"), "1");
  EXPECT_EQ(own.child("urn:vendor", "b").text(), "<");
  PocSettings again;
  ASSERT_FALSE(parse_poc_settings(out, again));
  EXPECT_EQ(again.entities[0].session_barred, true);
  std::string twice;
  put_poc_settings(again, twice);
  EXPECT_EQ(twice, out);
}

TEST(PocSettings, OMA_SET_4_settings_of_a_foreign_namespace_are_not_ours) {
  const PocEntity entity =
      read("<f:isb-settings><f:incoming-session-barring active='1'/></f:isb-settings>", "xmlns:f='urn:foreign'");
  EXPECT_EQ(entity.session_barred, std::nullopt);
  EXPECT_NE(entity.extension.find("urn:foreign"), std::string::npos);
}

TEST(PocSettings, OMA_SET_9_a_document_that_cannot_be_read_is_refused_whole) {
  EXPECT_EQ(settings_complaint("<other/>"), "line 1: is no poc-settings document");
  EXPECT_EQ(settings_complaint("<poc-settings xmlns='urn:foreign'/>"), "line 1: is no poc-settings document");
  EXPECT_EQ(settings_complaint("<poc-settings>\n<entity>\n<isb-settings><incoming-session-barring "
                      "active='maybe'/></isb-settings></entity></poc-settings>"),
            "line 3: <incoming-session-barring> says neither true nor false");
  EXPECT_EQ(
      settings_complaint(
          "<poc-settings><entity><isb-settings><incoming-session-barring/></isb-settings></entity></poc-settings>"),
      "line 1: <incoming-session-barring> says neither true nor false");
  EXPECT_EQ(
      settings_complaint(
          "<poc-settings><entity><am-settings><answer-mode>never</answer-mode></am-settings></entity></poc-settings>"),
      "line 1: <answer-mode> is neither automatic nor manual");
  EXPECT_EQ(settings_complaint("<poc-settings/>"), "no complaint");
  std::string many = "<poc-settings>";
  for (std::size_t n = 0; n <= poc_entities_max; ++n) many += "<entity id='e'/>";
  EXPECT_EQ(settings_complaint(many + "</poc-settings>"), "line 1: has more than 32 entities");
  EXPECT_EQ(settings_complaint("<poc-settings><entity id='" + std::string(257, 'x') + "'/></poc-settings>"),
            "line 1: <entity> has an id that is too long");
  EXPECT_EQ(
      settings_complaint("<poc-settings><entity><x xmlns='urn:x'>" + std::string(5000, 'x') + "</x></entity></poc-settings>"),
      "line 1: has more than 4096 bytes of elements that are not known here");
}

TEST(PocSettings, what_is_kept_cannot_grow) {
  // Each <b/> needs its namespace again, which is long.
  std::string document = "<poc-settings><entity><a:x xmlns:a='urn:a' xmlns:b='" + std::string(4000, 'b') + "'>";
  for (int n = 0; n < 4000; ++n) document += "<b:b/>";
  EXPECT_EQ(settings_complaint(document + "</a:x></entity></poc-settings>"),
            "line 1: has more than 4096 bytes of elements that are not known here");
}

TEST(PocSettings, OMA_SET_7_who_published_nothing_has_the_defaults) {
  const ImSettings defaults;
  EXPECT_FALSE(defaults.session_barred || defaults.pager_large_barred || defaults.bars_file_transfer() ||
               defaults.invisible);
  EXPECT_TRUE(defaults.offline_delivery);
  EXPECT_FALSE(defaults.history_session || defaults.history_pager_large);
  EXPECT_EQ(merged({}, defaults), defaults);
  ImSettings others;
  others.session_barred = true;
  others.history_session = true;
  EXPECT_EQ(merged({}, others), others);
}

TEST(PocSettings, OMA_SET_8_a_barring_of_one_device_holds_for_all) {
  for (const auto value :
       {&PocEntity::session_barred, &PocEntity::pager_large_barred, &PocEntity::file_transfer_barred}) {
    const std::vector<PocEntity> publications = {says("a", value, true), says("b", value, false), PocEntity{}};
    const ImSettings settings = merged(publications, {});
    EXPECT_TRUE(settings.session_barred || settings.pager_large_barred || settings.file_transfer_barred);
  }
  // What a user says goes before what the operator has chosen for those who say nothing.
  ImSettings barred;
  barred.session_barred = true;
  const std::vector<PocEntity> lifted = {says("a", &PocEntity::session_barred, false)};
  EXPECT_FALSE(merged(lifted, barred).session_barred);
}

TEST(PocSettings, OMA_SET_8_of_the_rest_the_last_word_counts) {
  const std::vector<PocEntity> publications = {says("a", &PocEntity::offline_delivery, false),
                                               says("b", &PocEntity::offline_delivery, true),
                                               says("c", &PocEntity::history_session, true)};
  const ImSettings settings = merged(publications, {});
  EXPECT_TRUE(settings.offline_delivery);
  EXPECT_TRUE(settings.history_session);
  const std::vector<PocEntity> turned = {publications[1], publications[0]};
  EXPECT_FALSE(merged(turned, {}).offline_delivery);
}

TEST(PocSettings, OMA_SET_8_devices_in_conflict_are_published_apart) {
  const std::vector<PocEntity> agree = {says("a", &PocEntity::session_barred, true),
                                        says("b", &PocEntity::invisible, false)};
  EXPECT_FALSE(in_conflict(agree));
  const PocSettings one = composed(agree);
  ASSERT_EQ(one.entities.size(), 1U);
  EXPECT_EQ(one.entities[0].id, "b");
  EXPECT_EQ(one.entities[0].session_barred, true);
  EXPECT_EQ(one.entities[0].invisible, false);
  const std::vector<PocEntity> differ = {says("a", &PocEntity::session_barred, true),
                                         says("b", &PocEntity::session_barred, false)};
  EXPECT_TRUE(in_conflict(differ));
  EXPECT_EQ(composed(differ).entities, differ);
  EXPECT_TRUE(composed({}).entities.empty());
  std::string out;
  put_poc_settings(composed({}), out);  // RFC 4354 section 6: a document without entities is one
  PocSettings none;
  EXPECT_FALSE(parse_poc_settings(out, none));
}

TEST(PocSettings, DEC_17_files_are_barred_by_either_barring) {
  ImSettings settings;
  EXPECT_FALSE(settings.bars_file_transfer());
  settings.session_barred = true;
  EXPECT_TRUE(settings.bars_file_transfer());
  settings = {};
  settings.file_transfer_barred = true;
  EXPECT_TRUE(settings.bars_file_transfer());
  EXPECT_FALSE(settings.session_barred);
}

TEST(PocSettings, said_in_full_is_read_back_as_the_same) {
  ImSettings settings;
  settings.invisible = true;
  settings.history_pager_large = true;
  settings.answer_mode = AnswerMode::automatic;
  std::string out;
  put_poc_settings({{said_in_full(settings, "server")}}, out);
  PocSettings again;
  ASSERT_FALSE(parse_poc_settings(out, again));
  EXPECT_EQ(settled({}, again.entities[0]), settings);
}

}  // namespace
}  // namespace parley::policy
