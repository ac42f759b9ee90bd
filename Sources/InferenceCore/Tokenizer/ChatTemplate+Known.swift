extension ChatTemplate {
    /// SHA-256 of the Jinja texts, as published by 2025-09: as a model's files have them, and where a text ends with a line
    /// end, or does not, without it or with it, for tools trim it or add it. Two texts where a line end is written as
    /// itself in one and as `\n` in another.
    static let known: [String: ChatTemplate] = [
        // Qwen 1.5 and 2.
        "793202280c0910ab26bc6eb57c8212c2417324c6d8c4efd0d10d59092ab3e3eb": .chatML(system: qwenSystem),
        "f0206845c9ebc3abb4735d44f286eb81ce99238ad2accc710c6fc60e6cb8ccc8": .chatML(system: qwenSystem),
        // Qwen2.5; the variants of Coder and 1M.
        "cd8e9439f0570856fd70470bf8889ebd8b5d1107207f67a5efb46e342330527f": .chatML(system: qwen25System),
        "55b2f4a26ac9ee719330a61a0c39d9e538b0e9322212f048326318cff4f8674a": .chatML(system: qwen25System),
        "89d726e7795b101935db5c909c75a7d403a47deedad53a64947e9b079ba94def": .chatML(system: qwenSystem),
        "e7ef0c0550d1e3baa43eda35eaaf927e2e0af29a5c052c45c811201acbea4090": .chatML(system: qwenSystem),
        "44d5f08f3f72b837eaad09f13a54c1f9f4eb58d75240334548b7fd52a5437fa5": .chatML(system: qwenSystem),
        "4039eed0f28b7aaa337e70c76cfedba3271ee32505835a095a8c92e536b3c355": .chatML(system: qwenSystem),
        // Qwen3 as released and since; Instruct and Thinking of 2025-07.
        "87a2728cb8dc9fe424d624542f6060ec05a1d285ebbec578bb078900e33396b5": .qwen3(thinks: false),
        "c945a4a87850dd79827191150be98539a7a5e7da0689f3550d880f8dcc95b856": .qwen3(thinks: false),
        "a55ee1b1660128b7098723e0abcd92caa0788061051c62d51cbe87d9cf1974d8": .qwen3(thinks: false),
        "e132ae041e1217b5e1114eb9dc292484a7f478df945d72fa49ba01b88d8ec01a": .qwen3(thinks: false),
        "40c21f34cf67d8c760ef72f8ad3ae5afad514299d4b06e91dd9a8d705af7b541": .qwen3(thinks: false),
        "f26ef4b3cfd0cd49dc97d30915a96f9ab0e5bb4517e166a0ed77b7a00910ce43": .qwen3(thinks: false),
        "3802169b2a02b81e6adb7ab4f64f91ff02db753c8c3a64a01c35192d3a61d8d7": .qwen3(thinks: true),
        "c08905023f221158b6020cbbfdf45d0a224e84cdc30acdb608dd1d7e0117d912": .qwen3(thinks: true),
        // SmolLM2, and ChatML without a system message.
        "872be49dbb638044ad01b60388f48d469ff2980e5f0dccdc22ec907db54d0788": .chatML(system: smolSystem),
        "de9cde7d1b0ca0cc87459a6673e0d12fb89c070bdb24e4a30b6e4d187b226221": .chatML(system: smolSystem),
        "153280e3ff55d19da1398bdb3914ee2a51b80429bfaedde11d7d216c39db80f3": .chatML(system: nil),
        "fcf7a096fe99a48fd9ad2b250bf9237e96e8f48bffec1c7ea4d3f225176cd40e": .chatML(system: nil),
        // Llama 3; 3.1 and 3.3; 3.2.
        "ba03a121d097859c7b5b9cd03af99aafe95275210d2876f642ad9929a150f122": .llama3,
        "4f46ecd43418f216df8c26936c60e5d04bcc81db47db5d86fbe889f64212dd4c": .llama3,
        "e10ca381b1ccc5cf9db52e371f3b6651576caee0a630b452e2816b2d404d4b65": .llama31,
        "93c0e9aa3629bbd77e68dbc0f5621f6e6b23aa8d74b932595cdb8d64684526d7": .llama31,
        "5816fce10444e03c2e9ee1ef8a4a1ea61ae7e69e438613f3b17b69d0426223a4": .llama31,
        "d82792f95932f1c9cef5c4bd992f171225e3bf8c7b609b4557c9e1ec96be819f": .llama31,
        // Llama 2 and Code Llama.
        "e8d5b5a546d3f19df16a5320c614fab05bdc4edd50e850f1afd947b503ea41cf": .llama2(trimmed: false),
        "9780fae5bfea3cfd7be37d328c6edfd296a8869be8131495bbe7eb37e780c88c": .llama2(trimmed: false),
        "05d273584da6dc9962d41e71ff7dd7cd0be026a09bda4861064af8d4fa3312e7": .llama2(trimmed: true),
        "0f0c79cbfbe66579c1b60e3f40f3b51e9e98a33b71d00a3069281ba89a457c5d": .llama2(trimmed: true),
        // Mistral 7B v0.1; v0.2 and v0.3, as released; v0.1 and v0.2 since.
        "7e995b379ec01747807246483647cd99030abf331653f1119e16d7ac041a3495": .mistral(.v01),
        "26a59556925c987317ce5291811ba3b7f32ec4c647c400c6cc7e3a9993007ba7": .mistral(.v02),
        "4f8acce212d9a9cbf95a8e2999bff615458e8797c4bcdcb1777229a4b0de99eb": .mistral(.v02),
        "796853172235ab3aaa4810013ddfe2eab481bda3306dad4f700c00d436eed596": .mistral(.v1),
        "bbc58aad99454df60138be9530c9601a0adfe3d8932cda975e1f10b2410ddc51": .mistral(.v1),
        // Codestral 22B.
        "6b1fd7807826615a3befd86aa0a9fbfce6a98acb0f4dd66726be76b078011156": .mistral(.codestral),
        "ac888ea51c72437ddbd57032b819c5d04d76c313147e1f3f2add070493fac49c": .mistral(.codestral),
        // Mistral 7B v0.3 since, Small 2409, Large 2407.
        "e16746b40344d6c5b5265988e0328a0bf7277be86f1c335156eae07e29c82826": .mistral(.v3),
        "cafb64e0e9e5fd2503054b3479593fae39cbdfd52338ce8af9bb4664a8eb05bd": .mistral(.v3),
        // Mistral Nemo 2407.
        "e4676cb56dffea7782fd3e2b577cfaf1e123537e6ef49b3ec7caa6c095c62272": .mistral(.nemo),
        "e7deee034838db2bfc7487788a3013d8a307ab69f72f3c54a85f06fd76007d4e": .mistral(.nemo),
    ]
}
