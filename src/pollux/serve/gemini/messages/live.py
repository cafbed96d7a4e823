"""What comes over the socket of a live session."""

MESSAGES: dict[str, dict] = {
    "LiveMessage": {
        "setup": "LiveSetup", "clientContent": "LiveContent", "realtimeInput": "LiveInput", "toolResponse": "LiveToolResponse",
        "contextUpdate": "LiveUpdate",
    },
    "LiveSetup": {
        "model": "string", "generationConfig": "GenerationConfig", "systemInstruction": "Content", "tools": ["Tool"],
        "toolConfig": "ToolConfig", "realtimeInputConfig": "LiveInputConfig", "inputAudioTranscription": "any",
        "outputAudioTranscription": "any", "sessionResumption": "LiveResumption", "contextWindowCompression": "any",
        "proactivity": "any", "explicitVadSignal": "bool", "historyConfig": "LiveHistory", "avatarConfig": "any",
        "safetySettings": ["SafetySetting"], "labels": "any",
    },
    "LiveUpdate": {"systemInstruction": "Content", "tools": ["Tool"]},
    "LiveInputConfig": {"automaticActivityDetection": "any", "activityHandling": "string", "turnCoverage": "string"},
    "LiveResumption": {"handle": "string", "transparent": "bool"},
    "LiveHistory": {"initialHistoryInClientContent": "bool"},
    "LiveContent": {"turns": ["Content"], "turnComplete": "bool"},
    "LiveInput": {
        "mediaChunks": ["Blob"], "audio": "Blob", "video": "Blob", "text": "string", "audioStreamEnd": "bool",
        "activityStart": "any", "activityEnd": "any",
    },
    "LiveToolResponse": {"functionResponses": ["FunctionResponse"]},
}  # fmt: skip
