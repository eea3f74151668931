"""A LangChain application that knows what each of its questions costs.

    pip install ./sdks/python langchain-openai
    python langchain_app.py "How cold is it in Oslo?"

Reads COST_OPS_API_URL and COST_OPS_API_KEY (the ledger), OPENAI_API_KEY and, if need be, OPENAI_BASE_URL (the model).
"""

import sys
import uuid

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI

from llm_cost_ops import CostOpsClient, cost_context
from llm_cost_ops.integrations.langchain import CostOpsCallbackHandler


def main(question: str) -> None:
    costs = CostOpsClient()
    # Two calls: the first looks for what is asked, the second answers it.
    model = ChatOpenAI(model="gpt-5", callbacks=[CostOpsCallbackHandler(client=costs)])
    rephrase = ChatPromptTemplate.from_template("Say this as a search query: {question}") | model | StrOutputParser()
    answer = ChatPromptTemplate.from_template("Answer in one sentence: {query}") | model | StrOutputParser()
    chain = {"query": rephrase} | answer

    with cost_context(project="langchain-example", session=str(uuid.uuid4()), tags={"chain": "search"}):
        print(chain.invoke({"question": question}))

    costs.flush(timeout=30)
    spent = costs.costs.get(project_id="langchain-example", group_by="model")
    for row in spent.breakdown:
        print(f"{row.model}: {row.requests} calls, {row.cost} {row.currency}")
    costs.close()


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]) or "How cold is it in Oslo?")
