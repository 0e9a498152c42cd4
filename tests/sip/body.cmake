parley_test(sip_sdp_test sdp_test.cc sdp_lines.cc ../msrp/golden_page.cc LIBS parley_sip)
target_compile_definitions(sip_sdp_test PRIVATE GOLDEN_SDP_FOLDER="${CMAKE_CURRENT_SOURCE_DIR}/golden_sdp")
parley_test(sip_offer_answer_test offer_answer_test.cc sdp_writer_test.cc LIBS parley_sip)
