"""What generateContent, countTokens and the embeddings are asked with."""

MESSAGES: dict[str, dict] = {
    "GenerateContentRequest": {
        "model": "string", "contents": ["Content"], "systemInstruction": "Content", "tools": ["Tool"], "toolConfig": "ToolConfig",
        "safetySettings": ["SafetySetting"], "generationConfig": "GenerationConfig", "cachedContent": "string", "labels": "any",
        "serviceTier": "string", "store": "bool", "continuationToken": "bytes",
    },
    "CountTokensRequest": {
        "model": "string", "contents": ["Content"], "generateContentRequest": "GenerateContentRequest",
        # not Google's any more, but sent by older clients; counted like the same fields inside generateContentRequest
        "systemInstruction": "Content", "tools": ["Tool"], "generationConfig": "GenerationConfig",
    },
    "EmbedContentRequest": {
        "model": "string", "content": "Content", "taskType": "TaskType", "title": "string", "outputDimensionality": "int",
        "autoTruncate": "bool", "embedContentConfig": "EmbedContentConfig",
    },
    "EmbedContentConfig": {
        "taskType": "TaskType", "title": "string", "outputDimensionality": "int", "autoTruncate": "bool",
        "audioTrackExtraction": "bool", "documentOcr": "bool",
    },
    "BatchEmbedContentsRequest": {"model": "string", "requests": ["EmbedContentRequest"]},
    "GenerationConfig": {
        "temperature": "number", "topP": "number", "topK": "number", "candidateCount": "int", "maxOutputTokens": "int",
        "stopSequences": ["string"], "presencePenalty": "number", "frequencyPenalty": "number", "seed": "int",
        "responseLogprobs": "bool", "logprobs": "int", "responseMimeType": "string", "responseSchema": "Schema",
        "responseJsonSchema": "any", "responseJsonSchemaOrdered": "any", "responseModalities": ["Modality"],
        "mediaResolution": "MediaResolution", "thinkingConfig": "ThinkingConfig", "speechConfig": "any", "imageConfig": "any",
        "enableEnhancedCivicAnswers": "bool", "audioTranscriptionConfig": "any",
    },
    "ThinkingConfig": {"includeThoughts": "bool", "thinkingBudget": "int", "thinkingLevel": "ThinkingLevel"},
    "SafetySetting": {"category": "HarmCategory", "threshold": "HarmBlockThreshold", "method": "string"},
    "Content": {"role": "string", "parts": ["Part"]},
    "Part": {
        "text": "string", "inlineData": "Blob", "fileData": "FileData", "functionCall": "FunctionCall",
        "functionResponse": "FunctionResponse", "executableCode": "ExecutableCode", "codeExecutionResult": "CodeExecutionResult",
        "thought": "bool", "thoughtSignature": "bytes", "videoMetadata": "VideoMetadata", "mediaResolution": "PartMediaResolution",
        "partMetadata": "any", "toolCall": "any", "toolResponse": "any", "audioTranscription": "any", "mediaProcessing": "any",
        "speechMetadata": "any", "documentMetadata": "any", "spreadsheetMetadata": "any", "audioMetadata": "any",
    },
    "Blob": {"mimeType": "string", "data": "bytes", "displayName": "string"},
    "FileData": {"fileUri": "string", "mimeType": "string", "displayName": "string"},
    "VideoMetadata": {"startOffset": "duration", "endOffset": "duration", "fps": "number", "contentLayers": "any"},
    "PartMediaResolution": {"level": "MediaResolution", "numTokens": "int"},
    "FunctionCall": {"id": "string", "name": "string", "args": "any", "partialArgs": "any", "willContinue": "bool"},
    "FunctionResponse": {
        "id": "string", "name": "string", "response": "any", "parts": ["FunctionResponsePart"], "willContinue": "bool",
        "scheduling": "Scheduling",
    },
    "FunctionResponsePart": {
        "inlineData": "Blob", "fileData": "FileData", "mediaProcessing": "any", "mediaResolution": "PartMediaResolution",
        "videoMetadata": "VideoMetadata", "documentMetadata": "any", "spreadsheetMetadata": "any", "audioMetadata": "any",
    },
    "ExecutableCode": {"id": "string", "language": "Language", "code": "string"},
    "CodeExecutionResult": {"id": "string", "outcome": "Outcome", "output": "string"},
    "Tool": {
        "functionDeclarations": ["FunctionDeclaration"], "codeExecution": "any", "googleSearch": "any",
        "googleSearchRetrieval": "any", "urlContext": "any", "fileSearch": "any", "googleMaps": "any", "computerUse": "ComputerUse",
        "mcpServers": "any", "retrieval": "any", "enterpriseWebSearch": "any", "parallelAiSearch": "any", "exaAiSearch": "any",
    },
    "ComputerUse": {
        "environment": "string", "excludedPredefinedFunctions": ["string"], "enablePromptInjectionDetection": "bool",
        "disabledSafetyPolicies": ["string"],
    },
    "FunctionDeclaration": {
        "name": "string", "description": "string", "parameters": "Schema", "parametersJsonSchema": "any", "response": "Schema",
        "responseJsonSchema": "any", "behavior": "Behavior",
    },
    "ToolConfig": {
        "functionCallingConfig": "FunctionCallingConfig", "retrievalConfig": "any", "includeServerSideToolInvocations": "bool",
    },
    "FunctionCallingConfig": {
        "mode": "CallingMode", "allowedFunctionNames": ["string"], "streamFunctionCallArguments": "bool",
    },
    "Schema": {
        "type": "Type", "format": "string", "title": "string", "description": "string", "nullable": "bool", "default": "any",
        "example": "any", "enum": ["string"], "items": "Schema", "minItems": "int", "maxItems": "int",
        "properties": {"*": "Schema"}, "required": ["string"], "minProperties": "int", "maxProperties": "int",
        "minLength": "int", "maxLength": "int", "pattern": "string", "minimum": "number", "maximum": "number",
        "anyOf": ["Schema"], "propertyOrdering": ["string"], "prefixItems": ["Schema"],
        "additionalProperties": "any", "ref": "string", "defs": {"*": "Schema"},
    },
}  # fmt: skip
